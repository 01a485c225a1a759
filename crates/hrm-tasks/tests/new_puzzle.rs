//! `docs/new-puzzle.md` quotes existing code, and that code works.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// Trains a small model on a puzzle and returns the share of its answers that are valid,
/// before and after training.
mod training {
    use std::ops::ControlFlow;

    use candle_core::Device;
    use hrm_core::{Budget, Hrm, HrmConfig, Mixer};
    use hrm_tasks::DataSource;
    use hrm_tasks::grid::Ruled;
    use hrm_tasks::hrm_puzzles::binairo::Binairo;
    use hrm_train::{DataCursor, EvalOptions, TrainConfig, TrainError, Trainer, evaluate, train};

    pub(super) fn valid_before_and_after() -> Result<(f64, f64), Box<dyn std::error::Error>> {
        let puzzles = Ruled::new(Binairo { side: 4 });
        let task = puzzles.open(&[])?; // Or from files: `open(&["mine.csv".into()])`.
        let config = HrmConfig::tiny().with(|config| {
            config.input.vocab_size = task.vocab_size();
            config.input.n_cells = task.n_cells();
            config.block.mixer = Mixer::Mlp;
            config.halting.n_segments_max = 2;
        });
        let settings = TrainConfig::paper().with(|train| {
            train.batch_size = 32;
            train.steps = 150;
            train.optimiser.learning_rate = 2e-3;
            train.schedule.warmup_steps = 20;
        });
        let valid = |model: &Hrm| {
            let budget = Budget::Fixed(model.n_segments_max());
            let options = EvalOptions { budget, batch_size: 50, sampling: None };
            let evaluation = evaluate(model, task.as_ref(), options, |_| Ok::<_, TrainError>(()))?;
            Ok::<f64, TrainError>(evaluation.scores[0].1)
        };
        let mut trainer = Trainer::new(Hrm::seeded(config, 0, &Device::Cpu)?, settings)?;
        let before = valid(trainer.model())?;
        train(&mut trainer, task.as_ref(), DataCursor::new(0), |_, _, _| {
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        })?;
        Ok((before, valid(trainer.model())?))
    }
}

#[test]
fn a_model_learns_the_puzzle_of_the_page() {
    let (before, after) = training::valid_before_and_after().unwrap();
    assert!(before < 0.1 && after > 0.5, "valid answers: {before} before, {after} after");
}

/// Every code block of the page is part of the file named before it, and the file of the
/// puzzle is quoted in full, without its tests.
#[test]
fn the_page_quotes_its_source_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap().replace("\r\n", "\n");
    let page = read("docs/new-puzzle.md");
    // Every other part is a code block; the text before it ends in the name of its source.
    let parts: Vec<&str> = page.split("```").collect();
    let mut sources = Vec::new();
    for [before, block] in parts.as_chunks::<2>().0 {
        let Some(code) = block.strip_prefix("rust\n") else { continue };
        let source = before.rsplit('`').nth(1).expect("the name of a file precedes its code");
        let file = read(source);
        assert!(file.contains(code), "{source} does not contain:\n{code}");
        sources.push(source);
        if source.ends_with("binairo.rs") {
            assert_eq!(file.split("\n#[cfg(test)]").next().unwrap().trim_end(), code.trim_end());
            assert!(code.lines().count() < 120, "{} lines", code.lines().count());
        }
    }
    assert_eq!(sources.len(), 4, "{sources:?}");
}
