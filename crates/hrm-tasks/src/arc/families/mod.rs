//! Built-in tasks: parametric families, each a rule with its parameters drawn
//! once per task.
//!
//! A family draws the parameters and returns a [`Rule`], which draws one pair
//! after another under them. Families that need room say so; all fit into
//! grids of 10 by 10, a good half into 3 by 3 to 5 by 5.

mod colours;
mod layout;
mod lines;
mod motion;
mod objects;
mod sketch;

use std::collections::HashSet;

use hrm_train::rng::stream;

use crate::TaskError;
use crate::arc::library::{Role, Solved};
use crate::arc::{Grid, Pair};
use sketch::Sketch;

/// Draws one pair, input and output. `None` if the draw came to nothing, e.g.
/// found no room for an object; another may.
type Rule = Box<dyn Fn(&mut Sketch) -> Option<(Grid, Grid)>>;

/// A kind of built-in task.
struct Family {
    /// Task ids start with it.
    name: &'static str,
    /// Least canvas, in cells a side, for grids that show the rule.
    side_min: usize,
    /// Draws the parameters of one task.
    rule: fn(&mut Sketch) -> Rule,
}

const fn family(name: &'static str, side_min: usize, rule: fn(&mut Sketch) -> Rule) -> Family {
    Family { name, side_min, rule }
}

/// Every family. The order decides which family the n-th task is from.
const FAMILIES: &[Family] = &[
    family("recolour", 3, colours::recolour),
    family("gravity", 3, motion::gravity),
    family("mirror", 3, layout::mirror),
    family("fill-holes", 5, objects::fill_holes),
    family("tile", 4, layout::tile),
    family("connect-points", 5, lines::connect_points),
    family("crop-object", 4, objects::crop_object),
    family("swap-colours", 3, colours::swap_colours),
    family("sort-columns", 3, motion::sort_columns),
    family("combine-halves", 5, layout::combine_halves),
    family("outline", 5, objects::outline),
    family("rotate", 3, layout::rotate),
    family("extend-lines", 4, lines::extend_lines),
    family("count-bar", 3, colours::count_bar),
    family("complete-symmetry", 4, layout::complete_symmetry),
    family("denoise", 6, objects::denoise),
    family("scale-up", 4, layout::scale_up),
    family("move-to-wall", 4, motion::move_to_wall),
    family("keep-colour", 3, colours::keep_colour),
    family("cross", 3, lines::cross),
    family("crop-largest", 7, objects::crop_largest),
    family("transpose", 3, layout::transpose),
    family("border", 3, layout::border),
    family("fill-box", 4, objects::fill_box),
    family("most-common", 3, colours::most_common),
    family("checkerboard", 5, lines::checkerboard),
    family("recolour-largest", 7, objects::recolour_largest),
    family("reflect", 4, layout::reflect),
    family("diagonals", 4, lines::diagonals),
    family("negative", 3, colours::negative),
    family("shift", 3, motion::shift),
    family("stripes", 4, lines::stripes),
    family("half", 4, layout::half),
];

/// Draws tasks that are pairwise different.
pub(crate) struct BuiltIn {
    families: Vec<&'static Family>,
    side: usize,
    seed: u64,
    seen: HashSet<Vec<Pair>>,
    /// Number of the next task of each family.
    next_number: usize,
}

impl BuiltIn {
    /// For grids of up to `side` cells a side.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if no family fits.
    pub(crate) fn new(side: usize, seed: u64) -> Result<Self, TaskError> {
        let families: Vec<_> = FAMILIES.iter().filter(|family| family.side_min <= side).collect();
        if families.is_empty() {
            return Err(TaskError::setting("canvas", "at least 3 for built-in tasks", side));
        }
        Ok(Self { families, side, seed, seen: HashSet::new(), next_number: 0 })
    }

    /// `n` more tasks with their ids, from all families in turn. `tag` stands
    /// in each id between the family's name and the number.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the canvas is too small for so many.
    pub(crate) fn draw(
        &mut self,
        n: usize,
        role: Role,
        tag: &str,
    ) -> Result<Vec<(String, Solved)>, TaskError> {
        let n_families = self.families.len();
        let mut tasks = Vec::new();
        for idx in 0..n {
            let family = self.families[idx % n_families];
            let number = self.next_number + idx / n_families;
            let id = format!("{}{tag}-{number:04}", family.name);
            let solved = self.draw_one(family, &id, role)?;
            tasks.push((id, solved));
        }
        self.next_number += n.div_ceil(n_families);
        Ok(tasks)
    }

    fn draw_one(&mut self, family: &Family, id: &str, role: Role) -> Result<Solved, TaskError> {
        const N_TRIES: usize = 100;

        for attempt in 0..N_TRIES {
            let rng = stream(self.seed, &format!("arc task {id}, try {attempt}"));
            let mut sketch = Sketch::new(rng, self.side);
            if let Some((pairs, n_train)) = draw_task(family, &mut sketch)
                && self.seen.insert(pairs.clone())
            {
                return Ok(Solved { pairs, n_train, role });
            }
        }
        Err(TaskError::setting("canvas", "large enough for so many different tasks", self.side))
    }
}

/// The pairs of one task and how many of them are train pairs. `None` if the
/// parameters drawn do not allow enough different pairs.
fn draw_task(family: &Family, sketch: &mut Sketch) -> Option<(Vec<Pair>, usize)> {
    const N_TRIES: usize = 200;

    let rule = (family.rule)(sketch);
    let n_train = sketch.between(3, 4);
    let n_test = if sketch.chance(0.25) { 2 } else { 1 };
    let mut pairs: Vec<Pair> = Vec::new();
    for _ in 0..N_TRIES {
        if pairs.len() == n_train + n_test {
            return Some((pairs, n_train));
        }
        if let Some((input, output)) = rule(sketch)
            // A pair on which the rule does nothing teaches nothing.
            && input != output
            && pairs.iter().all(|pair| pair.input != input)
        {
            pairs.push(Pair { input, output });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::SIDE_MAX;
    use std::collections::BTreeMap;

    /// Every task of a set at `side`, by family, a few of each.
    fn drawn(side: usize, seed: u64) -> BTreeMap<String, Solved> {
        let mut built_in = BuiltIn::new(side, seed).unwrap();
        let n_tasks = 4 * built_in.families.len();
        built_in.draw(n_tasks, Role::Training, "").unwrap().into_iter().collect()
    }

    /// Pairs of several tasks of one family.
    fn pairs_of(name: &str) -> Vec<Pair> {
        let tasks = [6, 10, 16].into_iter().flat_map(|side| drawn(side, 5));
        let pairs = tasks.filter(|(id, _)| id.rsplit_once('-').unwrap().0 == name);
        let pairs: Vec<_> = pairs.flat_map(|(_, solved)| solved.pairs).collect();
        assert!(pairs.len() >= 32, "{name}");
        pairs
    }

    fn count(grid: &Grid, wanted: impl Fn(u8) -> bool) -> usize {
        grid.cells().iter().filter(|colour| wanted(**colour)).count()
    }

    #[test]
    fn there_are_many_families_with_distinct_names() {
        let names: HashSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        assert!(FAMILIES.len() >= 24);
        assert!(FAMILIES.iter().all(|family| family.side_min <= 10));
        assert!(FAMILIES.iter().filter(|family| family.side_min <= 3).count() >= 8);
    }

    #[test]
    fn tasks_are_sound_at_every_canvas() {
        for side in 3..=SIDE_MAX {
            let tasks = drawn(side, 1);
            let names: HashSet<_> = tasks.keys().map(|id| id.rsplit_once('-').unwrap().0).collect();
            assert_eq!(names.len(), BuiltIn::new(side, 1).unwrap().families.len());
            for (id, Solved { pairs, n_train, .. }) in tasks {
                assert!((3..=4).contains(&n_train), "{id} at {side}");
                assert!((1..=2).contains(&(pairs.len() - n_train)), "{id} at {side}");
                for (idx, pair) in pairs.iter().enumerate() {
                    let fits = pair.input.side() <= side && pair.output.side() <= side;
                    assert!(fits, "{id} at {side}");
                    assert_ne!(pair.input, pair.output, "{id} at {side}");
                    let earlier = pairs[..idx].iter().any(|earlier| earlier.input == pair.input);
                    assert!(!earlier, "{id} at {side}");
                }
            }
        }
        let err = BuiltIn::new(2, 1).err().unwrap().to_string();
        assert_eq!(err, "task.canvas must be at least 3 for built-in tasks, found 2");
    }

    #[test]
    fn a_task_is_a_function_of_the_seed() {
        assert_eq!(drawn(7, 3), drawn(7, 3));
        assert_ne!(drawn(7, 3), drawn(7, 4));
    }

    #[test]
    fn later_tasks_differ_from_earlier_ones() {
        let mut built_in = BuiltIn::new(3, 1).unwrap();
        let n_families = built_in.families.len();
        let first = built_in.draw(2 * n_families + 1, Role::Training, "").unwrap();
        let second = built_in.draw(n_families, Role::Evaluation, "").unwrap();
        assert_eq!((first[0].0.as_str(), second[0].0.as_str()), ("recolour-0000", "recolour-0003"));
        for (id, task) in &second {
            assert!(first.iter().all(|(other, _)| other != id));
            assert!(first.iter().all(|(_, other)| other.pairs != task.pairs));
        }
    }

    #[test]
    fn a_rule_without_room_is_an_error() {
        let mut built_in = BuiltIn::new(3, 1).unwrap();
        let cramped = Family { name: "cramped", side_min: 3, rule: |_| Box::new(|_| None) };
        let err = built_in.draw_one(&cramped, "cramped-0000", Role::Training).unwrap_err();
        let want = "task.canvas must be large enough for so many different tasks, found 3";
        assert_eq!(err.to_string(), want);
    }

    #[test]
    fn moving_and_turning_keeps_every_colour() {
        let moving =
            ["gravity", "mirror", "rotate", "transpose", "shift", "sort-columns", "move-to-wall"];
        for name in moving {
            for Pair { input, output } in pairs_of(name) {
                for colour in 0..10 {
                    let n_before = count(&input, |found| found == colour);
                    assert_eq!(n_before, count(&output, |found| found == colour), "{name}");
                }
            }
        }
    }

    #[test]
    fn painting_only_adds_to_the_background() {
        let painting = [
            "fill-holes",
            "connect-points",
            "outline",
            "extend-lines",
            "cross",
            "fill-box",
            "checkerboard",
            "diagonals",
            "stripes",
        ];
        for name in painting {
            for Pair { input, output } in pairs_of(name) {
                assert_eq!((input.n_rows(), input.n_cols()), (output.n_rows(), output.n_cols()));
                let cells = input.cells().iter().zip(output.cells());
                assert!(cells.into_iter().all(|(old, new)| *old == 0 || old == new), "{name}");
            }
        }
    }

    #[test]
    fn cropping_finds_part_of_the_input() {
        for name in ["crop-object", "crop-largest", "half"] {
            for Pair { input, output } in pairs_of(name) {
                let (n_rows, n_cols) = (output.n_rows(), output.n_cols());
                let window = |top: usize, left: usize| {
                    Grid::from_fn(n_rows, n_cols, |row, col| input.at(top + row, left + col))
                };
                let mut places = (0..=input.n_rows() - n_rows)
                    .flat_map(|top| (0..=input.n_cols() - n_cols).map(move |left| (top, left)));
                assert!(places.any(|(top, left)| window(top, left) == output), "{name}");
            }
        }
    }
}
