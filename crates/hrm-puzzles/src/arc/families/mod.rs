//! Built-in tasks: parametric families of rules, with parameters sampled once per task.
//!
//! A family samples the parameters and returns a [`Rule`](family::Rule), which samples
//! input/output pairs. Each family states the smallest grid that it needs: all fit into 10
//! by 10 cells, most into 5 by 5.
//!
//! A family that applies to any picture is a [`Step`](family::Step): it can also follow
//! another family and transform its outputs. The resulting task is named after both, e.g.
//! `recolour+rotate-0001`.

mod built_in;
mod colours;
mod composition;
mod compositions;
mod counting;
mod family;
mod layout;
mod lines;
mod list;
mod motion;
mod objects;
mod panels;
mod paths;
mod sketch;

#[cfg(test)]
mod look;
#[cfg(test)]
mod reference_rules;
#[cfg(test)]
mod tests;

pub use built_in::BuiltIn;
