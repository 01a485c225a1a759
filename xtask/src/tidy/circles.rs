//! No two files of a crate may import each other, directly or through others.
//!
//! Files in a circle can only be read, tested and moved together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::imports::Import;

/// The circles among `imports`, as readable lines. Paths are shown relative to
/// `root`.
///
/// Files that import one another in several ways give one line for each pair that
/// does so directly, or one shortest circle if there is no such pair.
pub(crate) fn problems(root: &Path, imports: &BTreeSet<Import>) -> Vec<String> {
    let mut graph: Graph<'_> = BTreeMap::new();
    for import in imports {
        let targets = graph.entry(&import.from).or_default();
        let name = targets.entry(&import.to).or_insert(&import.name);
        // The longest path is the most informative.
        if import.name.len() > name.len() {
            *name = &import.name;
        }
    }
    let mut problems = Vec::new();
    for group in groups(&graph) {
        let files = group.len();
        for circle in circles(&graph, &group) {
            problems.push(describe(root, &graph, &circle, files));
        }
    }
    problems
}

/// For each file, the files it imports and one of the names it imports.
type Graph<'a> = BTreeMap<&'a Path, BTreeMap<&'a Path, &'a str>>;

/// Groups of files that all import one another, directly or through others.
fn groups<'a>(graph: &Graph<'a>) -> Vec<BTreeSet<&'a Path>> {
    let reach: BTreeMap<&Path, BTreeSet<&Path>> =
        graph.keys().map(|file| (*file, reachable(graph, file))).collect();
    let mut groups = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(file) {
            let returns =
                |other: &&&Path| reach.get(*other).is_some_and(|back| back.contains(file));
            groups.insert(reached.iter().filter(returns).copied().collect());
        }
    }
    groups.into_iter().collect()
}

/// Files that `file` imports, directly or through others.
fn reachable<'a>(graph: &Graph<'a>, file: &Path) -> BTreeSet<&'a Path> {
    let (mut found, mut pending) = (BTreeSet::new(), vec![file]);
    while let Some(file) = pending.pop() {
        for to in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(*to) {
                pending.push(to);
            }
        }
    }
    found
}

/// Circles that show how a group is connected, each as the files along it.
fn circles<'a>(graph: &Graph<'a>, group: &BTreeSet<&'a Path>) -> Vec<Vec<&'a Path>> {
    let imports = |from: &Path, to: &Path| graph.get(from).is_some_and(|all| all.contains_key(to));
    let after = |a: &'a Path| group.iter().filter(move |b| **b > a).map(move |b| vec![a, *b]);
    let pairs: Vec<Vec<&Path>> = group
        .iter()
        .flat_map(|a| after(a))
        .filter(|pair| imports(pair[0], pair[1]) && imports(pair[1], pair[0]))
        .collect();
    if !pairs.is_empty() {
        return pairs;
    }
    let all = group.iter().filter_map(|file| shortest(graph, file));
    all.min_by_key(Vec::len).into_iter().collect()
}

/// The shortest circle through `start`, as the files along it.
fn shortest<'a>(graph: &Graph<'a>, start: &'a Path) -> Option<Vec<&'a Path>> {
    let mut pending = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(files) = pending.pop_front() {
        for to in graph.get(files.last()?).into_iter().flat_map(BTreeMap::keys) {
            if *to == start {
                return Some(files);
            }
            if seen.insert(*to) {
                pending.push_back(files.iter().copied().chain([*to]).collect());
            }
        }
    }
    None
}

/// The circle on one line, with a name for each import.
fn describe(root: &Path, graph: &Graph<'_>, circle: &[&Path], n_files: usize) -> String {
    let shown = |file: &Path| file.strip_prefix(root).unwrap_or(file).display().to_string();
    let mut text = format!("{}: circle of imports:", shown(circle[0]));
    for (from, to) in circle.iter().zip(circle.iter().cycle().skip(1)) {
        let name = graph[from][to];
        text += &format!(" imports `{name}` of {}, which", shown(to));
    }
    let text = text.strip_suffix(", which").unwrap_or(&text).to_owned();
    if n_files > circle.len() {
        format!("{text} ({n_files} files import one another)")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::tidy::imports::imports;

    /// The circles of a crate with these files.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = folder.path().join(files[0].0);
        problems(folder.path(), &imports(&root).unwrap())
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], want: &[&str]) {
        assert_eq!(found(files), want);
    }

    #[test]
    fn two_files_that_use_each_other_are_found() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::B; pub struct A(B);"),
                ("b.rs", "pub struct B; impl B { fn a(&self) -> Option<super::a::A> { None } }"),
            ],
            &["a.rs: circle of imports: imports `crate::b::B` of b.rs, which imports \
               `super::a::A` of a.rs"],
        );
    }

    #[test]
    fn a_chain_is_not_a_circle_until_it_closes() {
        let mut files = vec![
            ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("a.rs", "use crate::b::{self, B}; pub struct A(B);"),
            ("b.rs", "use crate::c::*; pub struct B(C);"),
            ("c.rs", "pub struct C;"),
        ];
        check(&files, &[]);
        // Through a re-export of the root.
        files[3].1 = "pub struct C; fn a() { crate::A::new() }";
        let found = found(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("of c.rs, which imports `crate::A::new` of a.rs"), "{found:?}");
    }

    #[test]
    fn re_exports_lead_to_the_file_of_the_definition() {
        let a = ("a.rs", "pub fn helper() {}");
        let m = ("m/mod.rs", "mod inner; pub use inner::Inner; pub(crate) use crate::a::helper;");
        let inner = ("m/inner.rs", "use super::helper; pub struct Inner;");
        check(&[("lib.rs", "mod a; mod m;"), a, m, inner], &[]);
        let a = ("a.rs", "use crate::m; pub fn helper() -> m::Inner { todo!() }");
        let want = "a.rs: circle of imports: imports `m::Inner` of m/inner.rs, which imports \
                    `super::helper` of a.rs (3 files import one another)";
        // The parent is part of it: it takes the helper from outside.
        let parent = ("m/mod.rs", "mod inner; pub use inner::Inner; pub use crate::a::helper;");
        let found = found(&[("lib.rs", "mod a; mod m;"), a, parent, inner]);
        assert_eq!(found, [want.replace(" (3 files import one another)", "")]);
    }

    #[test]
    fn a_parent_may_declare_and_re_export_but_not_use_children_that_use_it() {
        let child = ("m/child.rs", "use super::LIMIT; pub struct Child; pub fn make() {}");
        let root = ("main.rs", "mod m;");
        let re_exports = "mod child; pub use child::Child; pub const LIMIT: usize = 3;";
        check(&[root, ("m/mod.rs", re_exports), child], &[]);
        let inner = format!("{re_exports} pub mod inner {{ pub use super::child::make; }}");
        check(&[root, ("m/mod.rs", &inner), child], &[]);
        for uses in [
            "pub fn f() -> Child { todo!() }",
            "pub enum Action { Child(child::Child) }",
            "pub fn f() { child::make() }",
            "use self::child::make;",
            "pub fn f() { println!(\"{:?}\", child::make()) }",
        ] {
            let text = format!("{re_exports} {uses}");
            assert_eq!(found(&[root, ("m/mod.rs", &text), child]).len(), 1, "{uses}");
        }
        // By a name that is re-exported, in a call.
        let text = "mod child; pub use child::make; pub const LIMIT: usize = 3; fn f() { make() }";
        assert_eq!(found(&[root, ("m/mod.rs", text), child]).len(), 1);
    }

    #[test]
    fn tests_comments_and_other_crates_do_not_count() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::B; pub struct A(B); pub mod c { pub struct C; }"),
                (
                    "b.rs",
                    "//! See [`crate::a::A`].\n\
                     use other::a::A; use std::path::Path;\n\
                     pub struct B; // crate::a::A\n\
                     const TEXT: &str = \"crate::a::A\";\n\
                     #[cfg(test)] use crate::a::A as X;\n\
                     impl B { #[cfg(test)] fn a() -> crate::a::A { todo!() } }\n\
                     #[cfg(test)] mod tests { use crate::a::A; use super::*; }\n\
                     #[cfg(test)] mod more;",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn paths_in_macros_are_found() {
        let files = [
            ("lib.rs", "#[macro_use] mod a; mod b;"),
            ("a.rs", "#[macro_export] macro_rules! shout { () => { $crate::b::B } }"),
            ("b.rs", "pub struct B; fn f() { crate::shout!() }"),
        ];
        let found = found(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`crate::b::B` of b.rs"), "{found:?}");
    }

    #[test]
    fn a_missing_or_malformed_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root: PathBuf = folder.path().join("lib.rs");
        std::fs::write(&root, "mod gone;").unwrap();
        let err = imports(&root).unwrap_err().to_string();
        assert!(err.starts_with("cannot read ") && err.contains("gone"), "{err}");
        std::fs::write(&root, "mod {").unwrap();
        assert!(imports(&root).unwrap_err().to_string().starts_with("cannot parse "));
    }
}
