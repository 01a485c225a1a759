//! Finds settings by part of their key, by its abbreviation, or despite a typing mistake.

use std::collections::BTreeMap;

use super::keys::flat_key;

/// Similarity, in `0..=1`, above which a name abbreviates another.
const ABBREVIATES: f64 = 0.85;

/// Largest similarity of a name with a typing mistake: it suggests a setting, but does not
/// name one.
const TYPED: f64 = 0.8;

/// Similarity below which a key is not suggested.
const SIMILAR: f64 = 0.6;

/// How much less similar than the best a key may be to be suggested beside it.
const WINDOW: f64 = 0.1;

/// Largest number of suggestions.
const N_SUGGESTED_MAX: usize = 3;

/// The keys among `keys` that `written` names: a key, a group, or the end of one
/// (`learning_rate`), an older key, or else an abbreviation (`lr`). Empty if there is none.
pub fn find_keys(written: &str, keys: &[String]) -> Vec<String> {
    let written = normalised(written);
    let ends = |key: &str| key == written || key.ends_with(&format!(".{written}"));
    let groups = |key: &str| key.match_indices('.').any(|(end, _)| ends(&key[..end]));
    let is_older = |key: &String| flat_key(key).is_some_and(|old| ends(&old));
    let found = |is_named: &dyn Fn(&String) -> bool| -> Vec<String> {
        keys.iter().filter(|key| is_named(key)).cloned().collect()
    };
    let ways: [&dyn Fn(&String) -> bool; 3] =
        [&|key| *key == written, &|key| ends(key) || groups(key), &is_older];
    let named = ways.into_iter().map(found).find(|found| !found.is_empty());
    named.unwrap_or_else(|| suggestions(&written, keys, ABBREVIATES))
}

/// The keys among `keys` that may have been meant by `written`, best first.
pub fn nearest_keys(written: &str, keys: &[String]) -> Vec<String> {
    suggestions(&normalised(written), keys, SIMILAR)
}

fn normalised(key: &str) -> String {
    key.trim().to_ascii_lowercase().replace('-', "_")
}

fn suggestions(written: &str, keys: &[String], least: f64) -> Vec<String> {
    let mut scores: BTreeMap<&str, f64> = BTreeMap::new();
    for key in keys {
        for name in [Some(key.clone()), flat_key(key)].into_iter().flatten() {
            let (similarity, score) = score(written, &name);
            if similarity >= least {
                let best = scores.entry(key).or_insert(score);
                *best = best.max(score);
            }
        }
    }
    let mut scores: Vec<_> = scores.into_iter().collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    let lowest = scores.first().map_or(0.0, |(_, best)| best - WINDOW);
    let near = scores.into_iter().take_while(|(_, score)| *score >= lowest);
    near.take(N_SUGGESTED_MAX).map(|(key, _)| key.to_owned()).collect()
}

/// Similarity of the last segments of two keys, and a score that also counts how many of
/// the segments before it agree.
fn score(written: &str, key: &str) -> (f64, f64) {
    let split = |key: &str| {
        let mut segments: Vec<String> = key.split('.').map(str::to_owned).collect();
        let last = segments.pop().unwrap_or_default();
        (segments, last)
    };
    let ((given, written), (groups, name)) = (split(written), split(key));
    let similarity = abbreviation(&written, &name)
        .max(strsim::normalized_damerau_levenshtein(&written, &name) * TYPED);
    let n_shared = given.iter().filter(|segment| groups.contains(segment)).count();
    let share = if given.is_empty() { 1.0 } else { n_shared as f64 / given.len() as f64 };
    let n_other = groups.len() - n_shared.min(groups.len());
    (similarity, 0.88 * similarity + 0.1 * share - 0.01 * n_other as f64)
}

/// How well `written` abbreviates `name`, in `0..=1`; 0 unless it is the beginning of
/// `name`, or each of its words is the beginning of a word of `name` or the initials of
/// neighbouring words.
fn abbreviation(written: &str, name: &str) -> f64 {
    let (joined, joined_name) = (written.replace('_', ""), name.replace('_', ""));
    if joined.len() > 2 && joined_name.starts_with(&joined) {
        return 0.8 + 0.2 * joined.len() as f64 / joined_name.len() as f64;
    }
    let name: Vec<&str> = name.split('_').collect();
    let initials: String = name.iter().filter_map(|word| word.chars().next()).collect();
    let mut n_covered = 0;
    for word in written.split('_') {
        let n_letters = word.chars().count();
        let is_beginning =
            |known: &&&str| **known == word || (n_letters > 1 && known.starts_with(word));
        n_covered += match name.iter().find(is_beginning) {
            Some(_) => 1,
            None if n_letters > 1 && initials.contains(word) => n_letters,
            None => return 0.0,
        };
    }
    let share = n_covered as f64 / name.len() as f64;
    0.8 + 0.2 * share.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PresetFile;
    use crate::settings::leaves;

    fn keys() -> Vec<String> {
        let file = PresetFile::embedded("sudoku", "tiny").unwrap();
        let tree = serde_json::to_value(file).unwrap();
        leaves("", &tree).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn mistakes_and_other_names_lead_to_the_setting() {
        for (written, want) in [
            ("train.lr", "train.optimiser.learning_rate"),
            ("lr", "train.optimiser.learning_rate"),
            ("train.learningrate", "train.optimiser.learning_rate"),
            ("puzzle_lr", "train.puzzle_embedding.learning_rate"),
            ("train.optimizer.learning_rate", "train.optimiser.learning_rate"),
            ("train.optimizer", "train.optimiser.kind"),
            ("batch", "train.batch_size"),
            ("bs", "train.batch_size"),
            ("train.batchsize", "train.batch_size"),
            ("hidden", "model.block.hidden_dim"),
            ("model.hiden_dim", "model.block.hidden_dim"),
            ("wd", "train.optimiser.weight_decay"),
            ("warmup", "train.schedule.warmup_steps"),
            ("warm-up", "train.schedule.warmup_steps"),
            ("heads", "model.block.n_heads"),
            ("n_layers", "model.recurrence.n_h_layers"),
            ("max_segments", "model.halting.n_segments_max"),
            ("task.bord", "task.board"),
            ("model.seed", "task.seed"),
            ("trian.steps", "train.steps"),
            ("learning-rate", "train.optimiser.learning_rate"),
        ] {
            let found = nearest_keys(written, &keys());
            assert_eq!(found.first().map(String::as_str), Some(want), "{written}: {found:?}");
            assert!(found.len() <= N_SUGGESTED_MAX, "{written}: {found:?}");
        }
        for written in ["", ".", "colour", "train.xyzzy"] {
            assert_eq!(nearest_keys(written, &keys()), [""; 0], "{written}");
        }
    }

    #[test]
    fn settings_are_found_by_key_group_end_older_key_or_abbreviation() {
        let rates = ["train.optimiser.learning_rate", "train.puzzle_embedding.learning_rate"];
        let find = |written| find_keys(written, &keys());
        assert_eq!(find("train.steps"), ["train.steps"]);
        assert_eq!(find("steps"), ["train.steps"]);
        assert_eq!(find("learning_rate"), rates);
        assert_eq!(find("train.learning_rate"), rates[..1]);
        assert_eq!(find("eval_interval"), ["train.evaluation.interval"]);
        assert_eq!(find("lr")[..2], rates);
        assert_eq!(find("train.loss"), ["train.loss.cells", "train.loss.label_smoothing"]);
        assert_eq!(find("loss"), find("train.loss"));
        assert!(find("model").len() > 20);
        assert_eq!(find("task.bord"), [""; 0], "a typing mistake names nothing");
        assert_eq!(find(""), [""; 0]);
    }
}
