//! Augmented versions of a task: rotated or reflected, with permuted colours.
//!
//! Colour 0 is never changed, since it is the background of most tasks. A version is
//! named `{task}_t{transform}_{image of 0123456789}` by HRM, and with `|||` instead of `_` by
//! TRM; version 0, the task itself, has the name of the task.

use std::collections::HashSet;

use rand::Rng;

use hrm_base::rng::stream;

use crate::Dihedral;
use crate::arc::{Grid, N_COLOURS, Pair};

/// One way to turn a task into an equivalent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Augmentation {
    transform: Dihedral,
    /// The image of each colour; a permutation that fixes 0.
    colours: [u8; N_COLOURS as usize],
}

/// The published project whose data set a name is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// HRM, and this crate.
    #[default]
    Hrm,
    /// TRM.
    Trm,
}

impl Dialect {
    fn separator(self) -> &'static str {
        match self {
            Self::Hrm => "_",
            Self::Trm => "|||",
        }
    }
}

impl Augmentation {
    /// The augmentation that changes nothing.
    pub const IDENTITY: Self =
        Self { transform: Dihedral::Identity, colours: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] };

    /// Samples an augmentation uniformly.
    pub fn sample(rng: &mut impl Rng) -> Self {
        let transform = Dihedral::ALL[rng.random_range(0..8u32) as usize];
        let mut colours = Self::IDENTITY.colours;
        for last in (2..N_COLOURS).rev() {
            let other = rng.random_range(1..=u32::from(last));
            colours.swap(last.into(), other as usize);
        }
        Self { transform, colours }
    }

    /// The name of this version of `task`.
    pub fn name(&self, task: &str) -> String {
        self.name_in(Dialect::Hrm, task)
    }

    /// The name of this version of `task` in the data of a published project.
    pub fn name_in(&self, dialect: Dialect, task: &str) -> String {
        if *self == Self::IDENTITY {
            return task.to_owned();
        }
        let image: String = self.colours.map(|colour| char::from(b'0' + colour)).iter().collect();
        let (number, separator) = (self.transform.number(), dialect.separator());
        format!("{task}{separator}t{number}{separator}{image}")
    }

    /// The task and the augmentation in the name of a version, in any dialect. `None` if
    /// the name has no such suffix: it may then be the name of a task.
    pub fn parse(name: &str) -> Option<(&str, Self)> {
        let parse = |dialect: Dialect| Self::parse_in(dialect, name);
        parse(Dialect::Trm).or_else(|| parse(Dialect::Hrm))
    }

    fn parse_in(dialect: Dialect, name: &str) -> Option<(&str, Self)> {
        let separator = dialect.separator();
        let (rest, image) = name.rsplit_once(separator)?;
        let (task, number) = rest.rsplit_once(separator)?;
        let number = number.strip_prefix('t')?;
        let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');

        let [number] = number.as_bytes() else { return None };
        let transform = *Dihedral::ALL.get(usize::from(digit(*number)?))?;
        let mut colours = <[u8; N_COLOURS as usize]>::try_from(image.as_bytes()).ok()?;
        for colour in &mut colours {
            *colour = digit(*colour)?;
        }
        let is_permutation = (0..N_COLOURS).all(|colour| colours.contains(&colour));
        (is_permutation && colours[0] == 0).then_some((task, Self { transform, colours }))
    }

    /// Applies the augmentation to a grid of the task.
    pub fn apply(&self, grid: &Grid) -> Grid {
        self.transform.apply_with(grid, |colour| self.colours[usize::from(colour)])
    }

    /// Reverses the augmentation of a grid of the version.
    pub fn undo(&self, grid: &Grid) -> Grid {
        let mut original = [0; N_COLOURS as usize];
        for (colour, image) in (0..).zip(self.colours) {
            original[usize::from(image)] = colour;
        }
        self.transform.inverse().apply_with(grid, |colour| original[usize::from(colour)])
    }
}

/// Up to `n` augmentations that produce distinct versions of a task, all different from
/// the task itself.
///
/// Samples at most five times per requested version, so a task with few colours or many
/// symmetries can have fewer.
pub fn distinct(task: &str, pairs: &[Pair], n: usize, seed: u64) -> Vec<Augmentation> {
    const TRIES_PER_VERSION: usize = 5;

    let fingerprints = Fingerprints::new(pairs);
    let mut seen = HashSet::from([fingerprints.of(&Augmentation::IDENTITY)]);
    let mut rng = stream(seed, &format!("arc augmentations of {task}"));
    let mut found = Vec::new();
    for _ in 0..n.saturating_mul(TRIES_PER_VERSION) {
        if found.len() == n {
            break;
        }
        let augmentation = Augmentation::sample(&mut rng);
        if seen.insert(fingerprints.of(&augmentation)) {
            found.push(augmentation);
        }
    }
    found.shrink_to_fit();
    found
}

/// Determines which augmentations of a task produce the same version, without computing
/// the versions.
///
/// A grid consists of a pattern (which cells have equal colours) and its colours in order of
/// first appearance. The transform determines the pattern and the permutation the colours,
/// so two versions are equal exactly if both agree.
struct Fingerprints {
    by_transform: [Fingerprint; 8],
}

struct Fingerprint {
    /// The first transform with the same pattern.
    pattern: usize,
    /// The task's colours by their first appearance under the transform.
    colours: Vec<u8>,
}

impl Fingerprints {
    fn new(pairs: &[Pair]) -> Self {
        let patterns = Dihedral::ALL.map(|transform| pattern(pairs, transform));
        let by_transform = std::array::from_fn(|number| {
            let same = |other: &(Vec<u8>, Vec<u8>)| other.0 == patterns[number].0;
            let first = patterns.iter().position(same).expect("a pattern equals itself");
            Fingerprint { pattern: first, colours: patterns[number].1.clone() }
        });
        Self { by_transform }
    }

    /// A value that is equal for two augmentations exactly if they produce the same version.
    fn of(&self, augmentation: &Augmentation) -> u64 {
        let fingerprint = &self.by_transform[augmentation.transform.number()];
        // Ten colours of four bits and a pattern of three bits fit in 64 bits. All transforms
        // have the same set of colours, so lengths never differ.
        fingerprint.colours.iter().fold(fingerprint.pattern as u64, |packed, colour| {
            packed << 4 | u64::from(augmentation.colours[usize::from(*colour)])
        })
    }
}

/// Sizes and cells of all transformed grids, colours numbered by their first
/// appearance; and the colours in that order.
fn pattern(pairs: &[Pair], transform: Dihedral) -> (Vec<u8>, Vec<u8>) {
    let mut pattern = Vec::new();
    let mut colours: Vec<u8> = Vec::new();
    for grid in pairs.iter().flat_map(|pair| [&pair.input, &pair.output]) {
        let grid = transform.apply(grid);
        pattern.extend([grid.n_rows() as u8, grid.n_cols() as u8]);
        for cell in grid.cells() {
            let number = colours.iter().position(|colour| colour == cell).unwrap_or_else(|| {
                colours.push(*cell);
                colours.len() - 1
            });
            pattern.push(number as u8);
        }
    }
    (pattern, colours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::{any_grid, grid};
    use proptest::prelude::*;

    fn any_augmentation() -> impl Strategy<Value = Augmentation> {
        any::<u64>().prop_map(|seed| Augmentation::sample(&mut stream(seed, "test")))
    }

    fn version(pairs: &[Pair], augmentation: &Augmentation) -> Vec<Grid> {
        let grids = pairs.iter().flat_map(|pair| [&pair.input, &pair.output]);
        grids.map(|grid| augmentation.apply(grid)).collect()
    }

    #[test]
    fn a_version_is_named_after_its_augmentation() {
        let text = "a_b_t6_0213456789";
        let (task, augmentation) = Augmentation::parse(text).unwrap();
        assert_eq!(task, "a_b");
        assert_eq!(augmentation.apply(&grid("012 345")), grid("03 24 15"));
        assert_eq!(augmentation.name("a_b"), text);
        assert_eq!(Augmentation::IDENTITY.name("a_b"), "a_b");
        let of_trm = augmentation.name_in(Dialect::Trm, "a_b");
        assert_eq!(of_trm, "a_b|||t6|||0213456789");
        assert_eq!(Augmentation::parse(&of_trm), Some(("a_b", augmentation)));
    }

    #[test]
    fn names_without_a_valid_suffix_are_not_versions() {
        for name in [
            "",
            "007bbfb7",
            "a_t8_0123456789",
            "a_t11_0123456789",
            "a_t1_012345678",
            "a_t1_0123456788",
            "a_t1_1023456789",
            "a_t1_01234567é",
            "a_0123456789",
            "<blank>",
            "a|||t8|||0123456789",
            "a|||t1_0123456789",
            "a|||1|||0123456789",
        ] {
            assert_eq!(Augmentation::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_task_of_one_cell_has_a_version_per_colour() {
        let dot = grid("5");
        let pairs = [Pair { input: dot.clone(), output: dot }];
        // One for each of the eight other colours; rotations have no effect.
        assert_eq!(distinct("dot", &pairs, 100, 1).len(), 8);
        let blank = grid("0");
        let pairs = [Pair { input: blank.clone(), output: blank }];
        assert_eq!(distinct("blank", &pairs, 100, 1), []);
        assert_eq!(distinct("blank", &pairs, 0, 1), []);
    }

    #[test]
    fn names_are_the_same_on_every_machine() {
        let pairs = [Pair { input: grid("012 340"), output: grid("567 089") }];
        let names: Vec<_> =
            distinct("007bbfb7", &pairs, 4, 7).iter().map(|found| found.name("007bbfb7")).collect();
        // Checkpoints refer to tasks by these names, so they must not change.
        let want = [
            "007bbfb7_t3_0216935478",
            "007bbfb7_t1_0764918352",
            "007bbfb7_t3_0619752438",
            "007bbfb7_t7_0748925361",
        ];
        assert_eq!(names, want);
    }

    proptest! {
        #[test]
        fn undoing_an_augmentation_restores_the_grid(
            grid in any_grid(8),
            augmentation in any_augmentation(),
        ) {
            prop_assert_eq!(augmentation.undo(&augmentation.apply(&grid)), grid);
        }

        #[test]
        fn a_name_survives_a_round_trip(
            augmentation in any_augmentation(),
            task in "[a-z_0-9é]{1,9}",
        ) {
            let name = augmentation.name(&task);
            if augmentation != Augmentation::IDENTITY {
                prop_assert_eq!(Augmentation::parse(&name), Some((task.as_str(), augmentation)));
            }
        }

        #[test]
        fn fingerprints_are_equal_exactly_for_equal_versions(
            // Few colours and small grids make coincidences common.
            cells in prop::collection::vec(0u8..3, 4),
            seeds in prop::collection::vec(any::<u64>(), 12),
        ) {
            let input = Grid::from_fn(2, 2, |row, col| cells[row * 2 + col]);
            let pairs = [Pair { output: input.map(|colour| (colour + 1) % 3), input }];
            let fingerprints = Fingerprints::new(&pairs);
            let sampled: Vec<_> =
                seeds.iter().map(|seed| Augmentation::sample(&mut stream(*seed, "test"))).collect();
            for one in &sampled {
                for other in &sampled {
                    prop_assert_eq!(
                        fingerprints.of(one) == fingerprints.of(other),
                        version(&pairs, one) == version(&pairs, other)
                    );
                }
            }
        }

        #[test]
        fn versions_are_distinct_and_determined_by_the_seed(
            input in any_grid(3), output in any_grid(3), seed: u64,
        ) {
            let pairs = [Pair { input, output }];
            let found = distinct("x", &pairs, 20, seed);
            prop_assert_eq!(&found, &distinct("x", &pairs, 20, seed));
            let mut versions: Vec<_> = found.iter().map(|found| version(&pairs, found)).collect();
            versions.push(version(&pairs, &Augmentation::IDENTITY));
            let n_versions = versions.len();
            versions.sort();
            versions.dedup();
            prop_assert_eq!(versions.len(), n_versions);
        }
    }
}
