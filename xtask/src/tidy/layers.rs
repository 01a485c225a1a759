//! The layering: a library crate depends only on crates below it.
//!
//! Dev-dependencies count too: a test that depends on a higher layer ties the layers
//! together just as code does.

/// Library crates, lowest first.
pub(crate) const LAYERS: &[&str] =
    &["hrm-base", "hrm-puzzles", "hrm-kernels", "hrm-blocks", "hrm-core", "hrm-train", "hrm-tasks"];

/// Programs on top of the stack. They may use any library; nothing may use them.
const PROGRAMS: &[&str] = &["hrm-cli", "hrm-benches", "xtask"];

/// Below every layer, and for tests only.
const TESTKIT: &str = "hrm-testkit";

/// The exception: its command `golden` is a test that users run.
const TESTKIT_USER: &str = "hrm-cli";

/// One crate's dependency on another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge<'a> {
    /// The crate with the dependency.
    pub(crate) user: &'a str,
    /// The crate that it depends on.
    pub(crate) used: &'a str,
    /// Whether it is a dev-dependency.
    pub(crate) is_dev: bool,
}

/// Why a dependency is forbidden; `None` if it is allowed.
pub(crate) fn violation(edge: Edge<'_>) -> Option<String> {
    let Edge { user, used, is_dev } = edge;
    if PROGRAMS.contains(&used) {
        return Some(format!("`{user}` must not depend on `{used}`, which is a program"));
    }
    if used == TESTKIT {
        let allowed = is_dev || user == TESTKIT_USER;
        return (!allowed).then(|| format!("`{user}` may use `{used}` in its tests only"));
    }
    if user == TESTKIT && LAYERS.contains(&used) {
        return Some(format!(
            "`{user}` must not depend on `{used}`: the tests of every layer use `{user}`"
        ));
    }
    let height = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    match (height(user), height(used)) {
        (Some(above), Some(below)) if below >= above => {
            Some(format!("`{user}` must not depend on `{used}`, which is not below it"))
        }
        _ => None,
    }
}

/// Reports a crate of the workspace that is not part of the layering.
pub(crate) fn unplaced(name: &str) -> Option<String> {
    let known = LAYERS.contains(&name) || PROGRAMS.contains(&name) || name == TESTKIT;
    (!known).then(|| format!("`{name}` is in no layer; add it to `LAYERS`"))
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
    fn a_kernel_crate_must_not_depend_on_the_trainer() {
        let want = Some("`hrm-kernels` must not depend on `hrm-train`, which is not below it");
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
    fn the_testkit_is_for_tests_and_the_golden_command() {
        let refused = Some("`hrm-core` may use `hrm-testkit` in its tests only");
        check("hrm-core", "hrm-testkit", false, refused);
        check("hrm-core", "hrm-testkit", true, None);
        check("hrm-cli", "hrm-testkit", false, None);
    }

    #[test]
    fn the_testkit_depends_on_no_layer() {
        let want = "`hrm-testkit` must not depend on `hrm-core`: the tests of every layer use `hrm-testkit`";
        check("hrm-testkit", "hrm-core", false, Some(want));
        check("hrm-testkit", "candle-core", false, None);
    }

    #[test]
    fn nothing_depends_on_a_program() {
        let want = Some("`xtask` must not depend on `hrm-cli`, which is a program");
        check("xtask", "hrm-cli", false, want);
        assert!(violation(Edge { user: "hrm-cli", used: "xtask", is_dev: true }).is_some());
    }

    #[test]
    fn other_crates_are_allowed() {
        check("xtask", "hrm-train", false, None);
        check("hrm-core", "candle-core", false, None);
    }

    #[test]
    fn a_new_crate_needs_a_layer() {
        assert_eq!(unplaced("hrm-core"), None);
        assert_eq!(unplaced("xtask"), None);
        let want = "`hrm-extra` is in no layer; add it to `LAYERS`";
        assert_eq!(unplaced("hrm-extra").as_deref(), Some(want));
    }
}
