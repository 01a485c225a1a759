//! What no committed text may hold.

/// Hosts of package registries, in pieces so that this file passes its own
/// check. Where packages come from is the user's setting, not the project's.
const REGISTRIES: &[(&str, &str)] = &[
    ("crates", "io"),
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "com"),
    ("npmjs", "org"),
    ("anaconda", "org"),
    ("rubygems", "org"),
    ("proxy.golang", "org"),
];

/// Seven of these open and close what a merge left for a person to settle.
const MERGE_MARKS: &[&str] = &["<", ">"];

/// What is wrong with `text`, with line numbers counted from 1.
pub(crate) fn problems(text: &str) -> Vec<String> {
    let registries: Vec<String> =
        REGISTRIES.iter().map(|(name, domain)| format!("{name}.{domain}")).collect();

    let mut problems = Vec::new();
    // Not `lines`, which would swallow a carriage return.
    for (line_idx, line) in text.split('\n').enumerate() {
        let line_number = line_idx + 1;
        for registry in registries.iter().filter(|registry| names_host(line, registry)) {
            problems.push(format!("line {line_number}: names the package registry {registry}"));
        }
        if MERGE_MARKS.iter().any(|mark| line.starts_with(&format!("{} ", mark.repeat(7)))) {
            problems.push(format!("line {line_number}: is the mark of an unsettled merge"));
        }
    }
    if text.contains('\r') {
        problems.push("ends lines with a carriage return".to_owned());
    }
    problems
}

/// Whether `line` names `host` or one of its subdomains.
fn names_host(line: &str, host: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.match_indices(host).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + host.len()..].chars().next();
        // A longer name is another host, or a field or method in code.
        let goes_on =
            |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        !before.is_some_and(goes_on) && !after.is_some_and(|c| goes_on(c) || c == '(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        assert_eq!(problems(text), want, "{text}");
    }

    #[test]
    fn a_registry_is_named_with_its_line() {
        for (name, domain) in REGISTRIES {
            let host = format!("{name}.{domain}");
            let want = format!("line 2: names the package registry {host}");
            check(&format!("from\n(https://static.{host}/x)\n"), &[&want]);
            check(&format!("from\n{}.\n", host.to_uppercase()), &[&want]);
        }
    }

    #[test]
    fn code_that_looks_like_a_host_is_not_one() {
        let (name, domain) = REGISTRIES[0];
        check(&format!("self.{name}.{domain}_errors, my{name}.{domain}, {name}.{domain}()"), &[]);
    }

    #[test]
    fn merge_marks_and_carriage_returns_are_found() {
        let mark = MERGE_MARKS[0].repeat(7);
        check(&format!("{mark} ours\n"), &["line 1: is the mark of an unsettled merge"]);
        check(&format!("a heading\n{}\n", "=".repeat(7)), &[]);
        check("a\r\nb\r\n", &["ends lines with a carriage return"]);
        check("", &[]);
    }
}
