//! Text that must not be committed.

/// Hosts of package registries, in parts so that this file passes its own check.
/// The source of packages is a setting of the user, not of the project.
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

/// Seven of one of these in a row mark a merge conflict.
const MERGE_MARKS: &[&str] = &["<", ">"];

/// Problems of `text`, with line numbers counted from 1.
pub(crate) fn problems(text: &str) -> Vec<String> {
    let registries: Vec<String> =
        REGISTRIES.iter().map(|(name, domain)| format!("{name}.{domain}")).collect();

    let mut problems = Vec::new();
    // Not `lines`, which drops carriage returns.
    for (line_idx, line) in text.split('\n').enumerate() {
        let line_number = line_idx + 1;
        for registry in registries.iter().filter(|registry| names_host(line, registry)) {
            problems.push(format!("line {line_number}: names the package registry {registry}"));
        }
        if MERGE_MARKS.iter().any(|mark| line.starts_with(&format!("{} ", mark.repeat(7)))) {
            problems.push(format!("line {line_number}: is a merge conflict marker"));
        }
    }
    if text.contains('\r') {
        problems.push("contains carriage returns".to_owned());
    }
    problems
}

/// Problems of a source file of the libraries and the program, which users run without
/// the workspace.
pub(crate) fn problems_of_product(text: &str) -> Vec<String> {
    let developer_command = concat!("cargo ", "xtask");
    let names_it = |line: &str| line.contains(developer_command);
    let lines = text.lines().enumerate().filter(|(_, line)| names_it(line));
    lines
        .map(|(line_idx, _)| {
            format!("line {}: names `{developer_command}`; the program is `hrm`", line_idx + 1)
        })
        .collect()
}

/// Whether `line` names `host` or one of its subdomains.
fn names_host(line: &str, host: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.match_indices(host).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + host.len()..].chars().next();
        // A longer name is another host, or a field or method in code.
        let continues_name =
            |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        !before.is_some_and(continues_name) && !after.is_some_and(|c| continues_name(c) || c == '(')
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
    fn users_of_the_program_are_not_sent_to_a_developer_command() {
        let text = "a\nprintln!(\"resume with: cargo xtask train\");\n";
        let want = ["line 2: names `cargo xtask`; the program is `hrm`"];
        assert_eq!(problems_of_product(text), want);
        assert!(problems_of_product("use hrm, xtask and cargo").is_empty());
    }

    #[test]
    fn code_that_looks_like_a_host_is_not_one() {
        let (name, domain) = REGISTRIES[0];
        check(&format!("self.{name}.{domain}_errors, my{name}.{domain}, {name}.{domain}()"), &[]);
    }

    #[test]
    fn merge_marks_and_carriage_returns_are_found() {
        let mark = MERGE_MARKS[0].repeat(7);
        check(&format!("{mark} ours\n"), &["line 1: is a merge conflict marker"]);
        check(&format!("a heading\n{}\n", "=".repeat(7)), &[]);
        check("a\r\nb\r\n", &["contains carriage returns"]);
        check("", &[]);
    }
}
