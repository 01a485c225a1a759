//! Tasks as the text of a file.

use super::task::ArcTask;

/// Formats tasks as a combined file, one line per task.
pub fn combined<'a>(tasks: impl IntoIterator<Item = (&'a str, &'a ArcTask)>) -> String {
    let lines = tasks.into_iter().map(|(id, task)| {
        let id = serde_json::to_string(id).expect("text is always JSON");
        let task = serde_json::to_string(task).expect("grids are always JSON");
        format!("{id}: {task}")
    });
    format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
}
