//! Statistics of a set of tasks, and evaluation tasks that leak into training.
//!
//! Pairs are compared in a canonical form: the smallest of the eight rotations and
//! reflections of both grids, with colours numbered by first appearance. Colour 0 stays
//! fixed, as in versions of a task. So two pairs have the same form exactly if one is a
//! version of the other; small grids can coincide by chance.

use std::collections::{BTreeMap, HashMap};

use hrm_base::progress::Stage;
use rayon::prelude::*;

use crate::Dihedral;
use crate::Leak;
use crate::arc::library::{Role, SolvedTask};
use crate::arc::{Grid, N_COLOURS, Pair};
use crate::stats::Distribution;

/// Distributions of sizes, colours and numbers of pairs, for each side of the split.
pub fn distributions(tasks: &[(&str, &SolvedTask)]) -> Vec<Distribution> {
    let mut distributions = Vec::new();
    for (side, role) in [("training", Role::Training), ("evaluation", Role::Evaluation)] {
        let tasks: Vec<_> =
            tasks.iter().map(|(_, task)| *task).filter(|task| task.role == role).collect();
        if tasks.is_empty() {
            continue;
        }
        let pairs = || tasks.iter().flat_map(|task| &task.pairs);
        let grids = || pairs().flat_map(|pair| [&pair.input, &pair.output]);
        let is_kept = |pair: &Pair| {
            (pair.input.n_rows(), pair.input.n_cols())
                == (pair.output.n_rows(), pair.output.n_cols())
        };
        let mut count = |what: &str, values: &mut dyn Iterator<Item = usize>| {
            let mut bins = BTreeMap::new();
            values.for_each(|value| *bins.entry(value).or_insert(0) += 1);
            let bins = bins.into_iter().map(|(value, n)| (value.to_string(), n)).collect();
            distributions.push(Distribution { name: format!("{side} {what}"), bins });
        };
        count("grid height", &mut grids().map(Grid::n_rows));
        count("grid width", &mut grids().map(Grid::n_cols));
        count("colours per task", &mut tasks.iter().map(|task| task.n_colours()));
        count("train pairs per task", &mut tasks.iter().map(|task| task.n_train));
        let n_tests = |task: &&SolvedTask| task.pairs.len() - task.n_train;
        count("test pairs per task", &mut tasks.iter().map(n_tests));
        let n_kept = pairs().filter(|pair| is_kept(pair)).count() as u64;
        let bins = [("kept", n_kept), ("changed", pairs().count() as u64 - n_kept)];
        let bins = bins.map(|(name, n)| (name.to_owned(), n)).into();
        distributions
            .push(Distribution { name: format!("{side} size from input to output"), bins });
    }
    distributions
}

/// The evaluation tasks that also occur in training, each with the strongest reason:
/// its id, all its pairs, or one of its test pairs occurs there.
///
/// Training data are the pairs of training tasks and the train pairs of other
/// evaluation tasks. A task's own train pairs only count if one is identical to a test
/// pair.
pub fn leaks(tasks: &[(&str, &SolvedTask)]) -> Vec<Leak> {
    let stage = Stage::start("comparing tasks", tasks.len() as u64);
    let counted = tasks.par_iter().inspect(|_| stage.advance(1));
    let forms: Vec<Vec<Vec<u8>>> =
        counted.map(|(_, task)| task.pairs.iter().map(canonical).collect()).collect();
    let mut by_id = HashMap::new();
    let mut by_pairs = HashMap::new();
    let mut by_pair: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
    for (idx, (_, task)) in tasks.iter().enumerate() {
        if task.role == Role::Training {
            by_id.entry(task.id.as_str()).or_insert(idx);
            by_pairs.entry(sorted(&forms[idx])).or_insert(idx);
        }
        let n_for_training = match task.role {
            Role::Training => task.pairs.len(),
            Role::Evaluation => task.n_train,
        };
        for (pair_idx, form) in forms[idx][..n_for_training].iter().enumerate() {
            by_pair.entry(form).or_default().push((idx, pair_idx));
        }
    }

    let leak_of = |(idx, (name, task)): (usize, &(&str, &SolvedTask))| {
        let leak = |eval: String, train: String, why| Some(Leak { eval, train, why });
        if let Some(other) = by_id.get(task.id.as_str()) {
            return leak((*name).to_owned(), tasks[*other].0.to_owned(), SAME_ID);
        }
        if let Some(other) = by_pairs.get(&sorted(&forms[idx])) {
            return leak((*name).to_owned(), tasks[*other].0.to_owned(), SAME_TASK);
        }
        (task.n_train..task.pairs.len()).find_map(|test_idx| {
            let train_pairs = by_pair.get(forms[idx][test_idx].as_slice())?;
            let is_leak = |(other, pair_idx): &&(usize, usize)| {
                *other != idx || task.pairs[*pair_idx] == task.pairs[test_idx]
            };
            let (other, pair_idx) = train_pairs.iter().find(is_leak)?;
            leak(pair_name(tasks[idx], test_idx), pair_name(tasks[*other], *pair_idx), SAME_PAIR)
        })
    };
    let evaluation =
        tasks.iter().enumerate().filter(|(_, (_, task))| task.role == Role::Evaluation);
    evaluation.filter_map(leak_of).collect()
}

/// Reasons of leaks.
const SAME_ID: &str = "the same id";
const SAME_TASK: &str = "the same pairs, perhaps turned, flipped or recoloured";
const SAME_PAIR: &str = "the same pair, perhaps turned, flipped or recoloured";

/// The canonical forms of a task's pairs, sorted.
fn sorted(forms: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut forms: Vec<_> = forms.iter().map(Vec::as_slice).collect();
    forms.sort_unstable();
    forms
}

fn pair_name((name, task): (&str, &SolvedTask), idx: usize) -> String {
    match idx.checked_sub(task.n_train) {
        None => format!("{name}, train[{idx}]"),
        Some(test_idx) => format!("{name}, test[{test_idx}]"),
    }
}

/// A form that is equal for two pairs exactly if one is a version of the other.
fn canonical(pair: &Pair) -> Vec<u8> {
    let forms = Dihedral::ALL.map(|transform| numbered(pair, transform));
    forms.into_iter().min().expect("there are eight transforms")
}

/// Sizes and cells of both transformed grids, with colours other than 0 numbered from 1
/// by first appearance.
fn numbered(pair: &Pair, transform: Dihedral) -> Vec<u8> {
    let mut number = [0u8; N_COLOURS as usize];
    let mut n_numbered = 0;
    let mut form = Vec::new();
    for grid in [&pair.input, &pair.output] {
        let grid = transform.apply(grid);
        form.extend([grid.n_rows() as u8, grid.n_cols() as u8]);
        form.extend(grid.cells().iter().map(|colour| {
            let number = &mut number[usize::from(*colour)];
            if *colour > 0 && *number == 0 {
                n_numbered += 1;
                *number = n_numbered;
            }
            *number
        }));
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::Augmentation;
    use crate::arc::grid::tests::{any_grid, grid};
    use hrm_base::rng::stream;
    use proptest::prelude::*;

    fn pair(input: &str, output: &str) -> Pair {
        Pair { input: grid(input), output: grid(output) }
    }

    fn task(id: &str, role: Role, n_train: usize, pairs: &[Pair]) -> SolvedTask {
        SolvedTask { id: id.to_owned(), pairs: pairs.to_vec(), n_train, role }
    }

    /// `eval < train: why` for each leak.
    fn found(tasks: &[SolvedTask]) -> Vec<String> {
        let named: Vec<_> = tasks.iter().map(|task| (task.id.as_str(), task)).collect();
        let leaks = leaks(&named);
        leaks.iter().map(|leak| format!("{} < {}: {}", leak.eval, leak.train, leak.why)).collect()
    }

    #[test]
    fn leaks_are_found_in_augmented_tasks() {
        let (one, two, three) =
            (pair("120 340", "1 2"), pair("12 34", "0"), pair("111 220 345", "5"));
        let turned = |pair: &Pair| Pair {
            input: Dihedral::QuarterTurn.apply(&pair.input).map(|colour| colour * 7 % 10),
            output: Dihedral::QuarterTurn.apply(&pair.output).map(|colour| colour * 7 % 10),
        };
        let known = task("known", Role::Training, 2, &[one.clone(), two.clone(), three.clone()]);
        let eval = |id: &str, pairs: &[Pair]| task(id, Role::Evaluation, 1, pairs);

        let tasks = [known.clone(), eval("known", &[pair("1", "2"), pair("3", "4")])];
        assert_eq!(found(&tasks), ["known < known: the same id"]);
        // In another order, with other roles of the pairs.
        let tasks = [known.clone(), eval("other", &[&three, &one, &two].map(turned))];
        let want = "other < known: the same pairs, perhaps turned, flipped or recoloured";
        assert_eq!(found(&tasks), [want]);
        let tasks = [known.clone(), eval("part", &[pair("1", "2"), turned(&two)])];
        let want =
            "part, test[0] < known, train[1]: the same pair, perhaps turned, flipped or recoloured";
        assert_eq!(found(&tasks), [want]);
        // The train pairs of an evaluation task may occur in training.
        let tasks = [known, eval("part", &[turned(&two), pair("1", "2")])];
        assert_eq!(found(&tasks), [""; 0]);
    }

    #[test]
    fn a_test_pair_may_resemble_train_pairs_of_its_own_task_but_not_of_others() {
        let eval = |id: &str, pairs: &[Pair]| task(id, Role::Evaluation, 1, pairs);
        let (test, recoloured) = (pair("12", "21"), pair("13", "31"));
        let alone = eval("a", &[recoloured.clone(), test.clone()]);
        assert_eq!(found(std::slice::from_ref(&alone)), [""; 0]);
        let other = eval("b", &[test.clone(), pair("0", "1")]);
        assert_eq!(found(&[alone, other]).len(), 1);
        assert_eq!(found(&[eval("a", &[test.clone(), test])]).len(), 1);
    }

    #[test]
    fn the_background_is_never_recoloured() {
        assert_ne!(canonical(&pair("01", "10")), canonical(&pair("12", "21")));
        assert_eq!(canonical(&pair("01", "10")), canonical(&pair("05", "50")));
    }

    #[test]
    fn distributions_are_separate_for_each_side_of_the_split() {
        let training = task("a", Role::Training, 1, &[pair("12 34", "1"), pair("0", "1")]);
        let tasks = [("a", &training)];
        let found = distributions(&tasks);
        let bins = |name: &str| -> Vec<(String, u64)> {
            found.iter().find(|found| found.name == name).unwrap().bins.clone()
        };
        let want = |bins: &[(&str, u64)]| -> Vec<_> {
            bins.iter().map(|(value, n)| ((*value).to_owned(), *n)).collect()
        };
        assert_eq!(bins("training grid height"), want(&[("1", 3), ("2", 1)]));
        assert_eq!(bins("training grid width"), want(&[("1", 3), ("2", 1)]));
        assert_eq!(bins("training colours per task"), want(&[("5", 1)]));
        assert_eq!(bins("training train pairs per task"), want(&[("1", 1)]));
        assert_eq!(bins("training test pairs per task"), want(&[("1", 1)]));
        let sizes = bins("training size from input to output");
        assert_eq!(sizes, want(&[("kept", 1), ("changed", 1)]));
        assert!(found.iter().all(|found| !found.name.starts_with("evaluation")));
    }

    proptest! {
        #[test]
        fn forms_are_equal_exactly_for_versions(
            input in any_grid(4), output in any_grid(3), seed: u64,
            // Few colours and small grids make coincidences common.
            cells in prop::collection::vec(0u8..3, 4),
            others in prop::collection::vec(0u8..3, 4),
        ) {
            let version = |augmentation: &Augmentation, pair: &Pair| Pair {
                input: augmentation.apply(&pair.input),
                output: augmentation.apply(&pair.output),
            };
            let sampled = Augmentation::sample(&mut stream(seed, "test"));
            let pair = Pair { input, output };
            prop_assert_eq!(canonical(&version(&sampled, &pair)), canonical(&pair));

            let of = |cells: &[u8]| Pair {
                input: Grid::from_fn(1, 2, |_, col| cells[col]),
                output: Grid::from_fn(1, 2, |_, col| cells[2 + col]),
            };
            let (one, other) = (of(&cells), of(&others));
            // With three colours, the only permutation besides the identity swaps 1 and 2.
            let swap = |grid: &Grid| grid.map(|colour| [0, 2, 1][usize::from(colour)]);
            let swapped = Pair { input: swap(&one.input), output: swap(&one.output) };
            let reach = Dihedral::ALL.iter().flat_map(|transform| {
                [&one, &swapped].map(|pair| Pair {
                    input: transform.apply(&pair.input),
                    output: transform.apply(&pair.output),
                })
            });
            let is_version = reach.into_iter().any(|version| version == other);
            prop_assert_eq!(canonical(&one) == canonical(&other), is_version);
        }
    }
}
