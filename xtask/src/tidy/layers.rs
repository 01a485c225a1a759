//! The dependency rule: a library crate knows only the crates below it.
//!
//! Dev-dependencies count too: a test that reaches upwards would tie the layers
//! together as firmly as code does.

/// Library crates, lowest first.
const LAYERS: &[&str] =
    &["hrm-base", "hrm-puzzles", "hrm-kernels", "hrm-blocks", "hrm-core", "hrm-train", "hrm-tasks"];

/// Programs on top of the stack. They may use any library; nothing uses them.
const PROGRAMS: &[&str] = &["hrm-cli", "hrm-benches", "xtask"];

/// Below every layer, and for tests only.
const TESTKIT: &str = "hrm-testkit";

/// The exception: its golden verb is a test that users can run.
const TESTKIT_USER: &str = "hrm-cli";

/// One crate's dependency on another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge<'a> {
    /// The crate whose manifest says so.
    pub(crate) user: &'a str,
    /// The crate it depends on.
    pub(crate) used: &'a str,
    /// Whether only its tests depend on it.
    pub(crate) is_dev: bool,
}

/// Why an edge is forbidden, as a readable sentence; `None` if it is allowed.
pub(crate) fn violation(edge: Edge<'_>) -> Option<String> {
    let Edge { user, used, is_dev } = edge;
    if PROGRAMS.contains(&used) {
        return Some(format!("`{user}` must not depend on `{used}`: it is a program"));
    }
    if used == TESTKIT {
        let allowed = is_dev || user == TESTKIT_USER;
        return (!allowed).then(|| format!("`{user}` may use `{used}` in its tests only"));
    }
    if user == TESTKIT && LAYERS.contains(&used) {
        return Some(format!("`{user}` must not depend on `{used}`: every layer's tests use it"));
    }
    let height = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    match (height(user), height(used)) {
        (Some(above), Some(below)) if below >= above => {
            Some(format!("`{user}` must not depend on `{used}`: it is not below it"))
        }
        _ => None,
    }
}

/// Complains of a workspace crate that the rule does not know.
pub(crate) fn unplaced(name: &str) -> Option<String> {
    let known = LAYERS.contains(&name) || PROGRAMS.contains(&name) || name == TESTKIT;
    (!known).then(|| format!("`{name}` has no place in the stack; give it one in `LAYERS`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(user: &str, used: &str, is_dev: bool, want: Option<&str>) {
        let found = violation(Edge { user, used, is_dev });
        assert_eq!(found.as_deref(), want);
    }

    #[test]
    fn a_kernel_crate_may_not_know_the_trainer() {
        let want = Some("`hrm-kernels` must not depend on `hrm-train`: it is not below it");
        check("hrm-kernels", "hrm-train", false, want);
        check("hrm-kernels", "hrm-train", true, want);
        check("hrm-train", "hrm-kernels", false, None);
    }

    #[test]
    fn every_layer_may_use_exactly_those_below() {
        for (above, user) in LAYERS.iter().enumerate() {
            for (below, used) in LAYERS.iter().enumerate() {
                let found = violation(Edge { user, used, is_dev: false });
                assert_eq!(found.is_none(), below < above, "{user} -> {used}");
            }
        }
    }

    #[test]
    fn the_testkit_is_for_tests_and_the_golden_verb() {
        let refused = Some("`hrm-core` may use `hrm-testkit` in its tests only");
        check("hrm-core", "hrm-testkit", false, refused);
        check("hrm-core", "hrm-testkit", true, None);
        check("hrm-cli", "hrm-testkit", false, None);
    }

    #[test]
    fn the_testkit_knows_no_layer() {
        let want = "`hrm-testkit` must not depend on `hrm-core`: every layer's tests use it";
        check("hrm-testkit", "hrm-core", false, Some(want));
        check("hrm-testkit", "candle-core", false, None);
    }

    #[test]
    fn nothing_depends_on_a_program() {
        let want = Some("`xtask` must not depend on `hrm-cli`: it is a program");
        check("xtask", "hrm-cli", false, want);
        assert!(violation(Edge { user: "hrm-cli", used: "xtask", is_dev: true }).is_some());
    }

    #[test]
    fn crates_outside_the_stack_are_free() {
        check("xtask", "hrm-train", false, None);
        check("hrm-core", "candle-core", false, None);
    }

    #[test]
    fn a_new_crate_must_find_its_place() {
        assert_eq!(unplaced("hrm-core"), None);
        assert_eq!(unplaced("xtask"), None);
        let want = "`hrm-extra` has no place in the stack; give it one in `LAYERS`";
        assert_eq!(unplaced("hrm-extra").as_deref(), Some(want));
    }
}
