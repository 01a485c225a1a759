//! Relative links in Markdown must lead to files of the repository.
//!
//! Web addresses and anchors within a page are not checked.

use std::path::{Component, Path, PathBuf};

/// Broken links of the page `from`. This path and those given to `exists` are
/// relative to the repository.
pub(crate) fn problems(from: &Path, markdown: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (line_number, target) in targets(markdown) {
        let Some(relative) = relative_path(target) else { continue };
        match resolve(from, relative) {
            None => {
                problems.push(format!("line {line_number}: link `{target}` leaves the repository"))
            }
            Some(path) if !exists(&path) => problems.push(format!(
                "line {line_number}: link `{target}` needs {}, which does not exist",
                path.display()
            )),
            Some(_) => {}
        }
    }
    problems
}

/// Link targets outside of code, with their line numbers, counted from 1.
fn targets(markdown: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut fence: Option<&str> = None;
    for (line_idx, line) in markdown.lines().enumerate() {
        let start = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| start.starts_with(marker));
        match (fence, marker) {
            (None, Some(_)) => fence = marker,
            (Some(open), Some(close)) if open == close => fence = None,
            (Some(_), _) => {}
            (None, None) => targets.extend(line_targets(line).map(|target| (line_idx + 1, target))),
        }
    }
    targets
}

/// Targets of `[text](target)`, of `[name]: target` and of HTML attributes.
fn line_targets(line: &str) -> impl Iterator<Item = &str> {
    let definition = line
        .trim_start()
        .strip_prefix('[')
        .filter(|rest| !rest.starts_with('^')) // A footnote is not a link.
        .and_then(|rest| rest.split_once("]:"))
        .map(|(_, target)| target)
        .and_then(|target| target.split_whitespace().next());
    let inline = after(line, "](").filter_map(|rest| {
        let target = rest.trim_start();
        match target.strip_prefix('<') {
            Some(bracketed) => bracketed.split('>').next(),
            None => Some(&target[..bare_len(target)]),
        }
    });
    let attributes = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(move |attribute| after(line, attribute))
        .filter_map(|rest| rest.split('"').next());
    definition.into_iter().chain(inline).chain(attributes)
}

/// The rest of `line` after each `opening` that is not inside code.
fn after<'a>(line: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(opening).filter_map(move |(idx, _)| {
        let is_code = line[..idx].matches('`').count() % 2 == 1;
        (!is_code).then(|| &line[idx + opening.len()..])
    })
}

/// Length of a target without angle brackets, which ends at a space or at the
/// closing parenthesis of the link.
fn bare_len(text: &str) -> usize {
    let mut depth = 0;
    for (idx, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return idx,
            ')' => depth -= 1,
            _ if character.is_whitespace() => return idx,
            _ => {}
        }
    }
    text.len()
}

/// The path of a target; `None` for web addresses and anchors.
fn relative_path(target: &str) -> Option<&str> {
    let path = target.split(['#', '?']).next().unwrap_or(target);
    let has_scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    let is_web = has_scheme || path.starts_with("//");
    (!path.is_empty() && !is_web).then_some(path)
}

/// The path that `target` leads to from the page `from`; `None` if it is outside
/// the repository.
fn resolve(from: &Path, target: &str) -> Option<PathBuf> {
    // A leading slash means the root of the repository, as on code hosts.
    let joined = match target.strip_prefix('/') {
        Some(from_root) => PathBuf::from(from_root),
        None => from.parent().unwrap_or(Path::new("")).join(target),
    };
    let mut path = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(markdown: &str, want: &[&str]) {
        let exists =
            |path: &Path| ["README.md", "docs", "docs/a.md"].map(Path::new).contains(&path);
        assert_eq!(problems(Path::new("docs/page.md"), markdown, exists), want, "{markdown}");
    }

    #[test]
    fn links_are_relative_to_their_page() {
        check("[a](a.md), [readme](../README.md) and [root](/README.md) [here](.)", &[]);
        check("[a](a.md#part) [b](<a.md> \"title\") ![c](a.md 'title')", &[]);
        check("[`code`](a.md)", &[]);
    }

    #[test]
    fn a_broken_link_is_named_with_its_line() {
        let want = "line 2: link `b.md#x` needs docs/b.md, which does not exist";
        check("first\n[b](b.md#x)", &[want]);
        check("[b]: b.md", &["line 1: link `b.md` needs docs/b.md, which does not exist"]);
        let want = "line 1: link `c(1).md` needs docs/c(1).md, which does not exist";
        check("see [c](c(1).md).", &[want]);
        let want = "line 1: link `i.png` needs docs/i.png, which does not exist";
        check("<img alt=\"x\" src=\"i.png\">", &[want]);
        let want = "line 1: link `d.md` needs docs/d.md, which does not exist";
        check("[`code`](d.md) and [unclosed](", &[want]);
    }

    #[test]
    fn a_link_out_of_the_repository_is_refused() {
        let want = "line 1: link `../../shared/a.md` leaves the repository";
        check("[a](../../shared/a.md)", &[want]);
    }

    #[test]
    fn web_addresses_and_anchors_are_not_checked() {
        check("[w](https://example.org/a.md) [m](mailto:a@example.org) [p](#part) []()", &[]);
        check("<https://example.org> [w]: //example.org/x", &[]);
    }

    #[test]
    fn code_is_not_checked() {
        check("`[b](b.md)` and ``x``", &[]);
        check("```\n[b](b.md)\n~~~\n[b](b.md)\n```\n[a](a.md)", &[]);
        check("[^note]: a footnote is prose", &[]);
    }
}
