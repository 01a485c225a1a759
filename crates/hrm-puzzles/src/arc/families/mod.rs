//! Built-in tasks: parametric families, each a rule with its parameters drawn
//! once per task.
//!
//! A family draws the parameters and returns a [`Rule`](family::Rule), which draws one pair
//! after another under them. Families that need room say so; all fit into
//! grids of 10 by 10, a good half into 3 by 3 to 5 by 5.
//!
//! A family that makes sense on any picture is a [`Step`](family::Step): it can also follow
//! another family, whose outputs are then its inputs. Such a task is named
//! after both, e.g. `recolour+rotate-0001`.

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
