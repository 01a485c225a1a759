//! Tests of all families, and of the tasks sampled from them.

use std::collections::{BTreeMap, HashSet};

use hrm_base::rng::stream;

use super::composition::{Composition, sample_task};
use super::compositions::Compositions;
use super::list::FAMILIES;
use super::sketch::Sketch;
use super::{BuiltIn, reference_rules};
use crate::Dihedral;
use crate::arc::library::{Role, SolvedTask};
use crate::arc::{Grid, Pair, SIDE_MAX};

/// Three tasks of each family that fits `side`, by id.
fn sampled(side: usize, compose: f64, seed: u64) -> BTreeMap<String, SolvedTask> {
    let mut built_in = BuiltIn::new(side, compose, seed).unwrap();
    let n_tasks = 3 * FAMILIES.iter().filter(|family| family.side_min <= side).count();
    built_in.sample(n_tasks, Role::Training, "").unwrap().into_iter().collect()
}

/// The name of the family or composition in a task id.
fn name_of(id: &str) -> &str {
    id.rsplit_once('-').unwrap().0
}

/// Samples the pairs of one task of a family or a composition.
fn task_of(composition: &Composition, side: usize, seed: u64) -> Vec<Pair> {
    let mut sketch = Sketch::new(stream(seed, "test"), side);
    let task = (0..1000).find_map(|_| sample_task(composition, &mut sketch));
    task.unwrap_or_else(|| panic!("{} at {side}", composition.name())).0
}

#[test]
fn there_are_many_families_with_distinct_names() {
    let names: HashSet<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    assert!(FAMILIES.len() >= 50);
    assert!(FAMILIES.iter().all(|family| family.side_min <= 10));
    assert!(FAMILIES.iter().filter(|family| family.side_min <= 3).count() >= 8);
}

#[test]
fn every_family_follows_its_rule() {
    for family in FAMILIES {
        for side in [family.side_min, family.side_min + 1, 10, 16, SIDE_MAX] {
            for seed in 0..8 {
                let pairs = task_of(&Composition::one(family), side, seed);
                let follows_rule = reference_rules::holds(family.name, &pairs);
                assert!(follows_rule, "{} at {side}, seed {seed}: {pairs:?}", family.name);
            }
        }
    }
}

#[test]
fn reference_rules_distinguish_families() {
    // A reference rule that accepts every task would make the tests pass vacuously.
    for family in FAMILIES {
        let others = FAMILIES.iter().filter(|other| other.name != family.name);
        let accepted: Vec<_> = others
            .filter(|other| {
                reference_accepts(family.name, &task_of(&Composition::one(other), 12, 3))
            })
            .map(|other| other.name)
            .collect();
        assert!(accepted.len() <= 3, "{} also holds for {accepted:?}", family.name);
    }
}

/// Whether the reference rule accepts `pairs`; it may panic on tasks of other families.
fn reference_accepts(family: &str, pairs: &[Pair]) -> bool {
    std::panic::catch_unwind(|| reference_rules::holds(family, pairs)).unwrap_or(false)
}

#[test]
fn tasks_are_valid_for_every_canvas() {
    for side in 3..=SIDE_MAX {
        for (id, SolvedTask { pairs, n_train, .. }) in sampled(side, 0.25, 1) {
            assert!((3..=4).contains(&n_train), "{id} at {side}");
            assert!((1..=2).contains(&(pairs.len() - n_train)), "{id} at {side}");
            let inputs: HashSet<_> = pairs.iter().map(|pair| &pair.input).collect();
            assert_eq!(inputs.len(), pairs.len(), "{id} at {side}: an input occurs twice");
            let outputs: HashSet<_> = pairs[..n_train].iter().map(|pair| &pair.output).collect();
            assert!(outputs.len() > 1, "{id} at {side}: all outputs are the same");
            for Pair { input, output } in &pairs {
                assert!(input.side() <= side && output.side() <= side, "{id} at {side}");
                assert_ne!(input, output, "{id} at {side}");
            }
        }
    }
    let err = BuiltIn::new(2, 0.0, 1).err().unwrap().to_string();
    assert_eq!(err, "canvas must be at least 3 for built-in tasks, found 2");
}

#[test]
fn inputs_of_a_task_are_distinct_for_many_seeds() {
    for family in FAMILIES {
        for seed in 100..140 {
            let pairs = task_of(&Composition::one(family), family.side_min.max(5), seed);
            let inputs: HashSet<_> = pairs.iter().map(|pair| &pair.input).collect();
            assert_eq!(inputs.len(), pairs.len(), "{}, seed {seed}", family.name);
            assert!(pairs.iter().all(|pair| pair.input != pair.output), "{}", family.name);
        }
    }
}

#[test]
fn tasks_depend_on_the_seed_but_not_on_the_number_of_threads() {
    let with = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| sampled(7, 0.3, 3))
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
    assert_ne!(one, sampled(7, 0.3, 4));
}

#[test]
fn later_tasks_differ_from_earlier_tasks() {
    let mut built_in = BuiltIn::new(3, 0.0, 1).unwrap();
    let n_families = FAMILIES.iter().filter(|family| family.side_min <= 3).count();
    let first = built_in.sample(2 * n_families + 1, Role::Training, "").unwrap();
    let second = built_in.sample(n_families, Role::Evaluation, "").unwrap();
    assert_eq!((first[0].0.as_str(), second[0].0.as_str()), ("recolour-0000", "recolour-0003"));
    for (id, task) in &second {
        assert!(first.iter().all(|(other, _)| other != id));
        assert!(first.iter().all(|(_, other)| other.pairs != task.pairs));
    }
}

#[test]
fn test_pairs_of_evaluation_tasks_are_never_training_pairs() {
    let mut built_in = BuiltIn::new(3, 0.0, 1).unwrap();
    let training = built_in.sample(300, Role::Training, "").unwrap();
    let evaluation = built_in.sample(150, Role::Evaluation, "").unwrap();
    let in_training = training.iter().flat_map(|(_, task)| &task.pairs);
    let in_evaluation = evaluation.iter().flat_map(|(_, task)| &task.pairs[..task.n_train]);
    let train_pairs: HashSet<_> = in_training.chain(in_evaluation).collect();
    for (id, task) in &evaluation {
        assert!(task.pairs[task.n_train..].iter().all(|pair| !train_pairs.contains(pair)), "{id}");
    }
}

#[test]
fn a_share_of_the_tasks_is_composed_and_named_after_both_families() {
    let tasks = sampled(10, 0.25, 1);
    let composed: HashSet<_> =
        tasks.keys().map(|id| name_of(id)).filter(|name| name.contains('+')).collect();
    // Each of the composed tasks has a different composition.
    assert_eq!(composed.len(), tasks.len() / 4);
    for name in composed {
        let (first, second) = name.split_once('+').unwrap();
        assert_ne!(first, second);
        assert!(FAMILIES.iter().any(|family| family.name == first));
        assert!(FAMILIES.iter().any(|family| family.name == second));
    }
    assert!(sampled(10, 1.0, 1).keys().all(|id| id.contains('+')));
    assert!(sampled(10, 0.0, 1).keys().all(|id| !id.contains('+')));
}

#[test]
fn there_are_many_compositions_and_after_the_last_comes_the_first() {
    let mut compositions = Compositions::new(10);
    let names: Vec<_> = (0..1000).map(|idx| compositions.get(idx).name()).collect();
    let distinct: HashSet<_> = names.iter().collect();
    assert!((300..1000).contains(&distinct.len()), "{}", distinct.len());
    assert_eq!(names[distinct.len()], names[0]);
    assert!(distinct.iter().any(|name| *name == "recolour+rotate"));
    // Rotating a single cell has no effect. A picture of one colour has nothing to filter.
    assert!(distinct.iter().all(|name| *name != "most-common+rotate"));
    assert!(distinct.iter().all(|name| *name != "negative+keep-colour"));
}

#[test]
fn a_composition_applies_the_second_rule_to_the_output_of_the_first() {
    let composition = |wanted: &str| {
        let mut compositions = Compositions::new(8);
        let mut all = (0..1000).map(|idx| compositions.get(idx));
        all.find(|composition| composition.name() == wanted).unwrap()
    };
    for (first, second, undone_by) in
        [("recolour", "rotate", 1..4), ("flood-fill", "mirror", 4..6), ("mask", "transpose", 6..8)]
    {
        let composition = composition(&format!("{first}+{second}"));
        for seed in 0..10 {
            let pairs = task_of(&composition, 8, seed);
            let undo = |by: Dihedral| -> Vec<Pair> {
                let undone = |pair: &Pair| Pair {
                    input: pair.input.clone(),
                    output: by.apply(&pair.output),
                };
                pairs.iter().map(undone).collect()
            };
            let found =
                undone_by.clone().filter(|by| reference_accepts(first, &undo(Dihedral::ALL[*by])));
            assert_eq!(found.count(), 1, "{} {pairs:?}", composition.name());
        }
    }
}

#[test]
fn moving_and_turning_keeps_the_number_of_cells_of_each_colour() {
    for name in
        ["gravity", "mirror", "rotate", "transpose", "shift", "sort-columns", "move-to-wall"]
    {
        let family = FAMILIES.iter().find(|family| family.name == name).unwrap();
        for seed in 0..20 {
            for Pair { input, output } in task_of(&Composition::one(family), 8, seed) {
                let sorted = |grid: &Grid| {
                    let mut cells = grid.cells().to_vec();
                    cells.sort();
                    cells
                };
                assert_eq!(sorted(&input), sorted(&output), "{name}");
            }
        }
    }
}
