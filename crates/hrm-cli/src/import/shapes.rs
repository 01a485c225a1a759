//! The config that the shapes of the weights and a config beside them determine together.

use std::collections::HashMap;
use std::fmt::Display;

use candle_core::{DType, Tensor};
use hrm_core::{HaltRule, HrmConfig, Mixer, Modules, Positions, names};

use super::published::Published;
use crate::error::usage;

/// The sizes that the shapes of the weights determine.
pub(super) struct Shapes {
    /// The file or folder of the weights, for messages.
    place: String,
    pub(super) vocab_size: usize,
    hidden_dim: usize,
    /// The largest expansion that gives the inner dimensions of a block.
    expansion: f64,
    n_h_layers: usize,
    n_l_layers: usize,
    pub(super) n_puzzle_ids: usize,
    puzzle_dim: usize,
    has_positions: bool,
    mixer: Mixer,
    /// Number of positions, puzzle embedding included, and the tensor that depends on it.
    n_positions: Option<(usize, String)>,
    /// The table of rotary position embeddings, if it is saved.
    rotary: Option<Rotary>,
}

/// A saved table of rotary position embeddings, or their frequencies.
struct Rotary {
    /// What it is called, for messages.
    name: &'static str,
    /// Positions of the table.
    n_positions: Option<usize>,
    head_dim: usize,
    /// The cosines of the first positions, one row each.
    rows: Vec<Vec<f32>>,
}

impl Rotary {
    /// # Errors
    ///
    /// If it is no such table.
    fn of(place: &str, table: &Tensor) -> anyhow::Result<Self> {
        const N_ROWS_MAX: usize = 1 << 10;
        let table = table.to_dtype(DType::F32)?;
        match *table.dims() {
            [n_positions, head_dim] => {
                let rows = table.narrow(0, 0, n_positions.min(N_ROWS_MAX))?.to_vec2()?;
                let (name, n_positions) = ("rotary_emb.cos_cached", Some(n_positions));
                Ok(Self { name, n_positions, head_dim, rows })
            }
            [_] => {
                const N_ROWS: u32 = 64;
                let frequencies = table.to_vec1::<f32>()?;
                let row = |position: u32| {
                    let both = frequencies.iter().chain(&frequencies);
                    both.map(|frequency| (position as f32 * frequency).cos()).collect()
                };
                let (name, head_dim) = ("rotary_emb.inv_freq", 2 * frequencies.len());
                let rows = (0..N_ROWS).map(row).collect();
                Ok(Self { name, n_positions: None, head_dim, rows })
            }
            ref dims => Err(usage(format!(
                "{place}: the table of rotary embeddings has shape {dims:?}, expected a matrix"
            ))),
        }
    }

    /// Whether the table has this base, within the precision of half a float.
    fn has_base(&self, base: f64) -> bool {
        const TOLERANCE: f64 = 0.01;
        let half = (self.head_dim / 2).max(1);
        let angle =
            |channel: usize| base.powf(-2.0 * (channel % half) as f64 / self.head_dim as f64);
        let angles: Vec<f64> = (0..self.head_dim).map(angle).collect();
        self.rows.iter().enumerate().all(|(position, row)| {
            row.iter().zip(&angles).all(|(cosine, angle)| {
                ((position as f64 * angle).cos() - f64::from(*cosine)).abs() < TOLERANCE
            })
        })
    }

    /// The base of the table, to four digits.
    fn base(&self) -> Option<f64> {
        let angle = |position: usize| {
            let cosine = f64::from(*self.rows.get(position)?.get(1)?);
            Some(cosine.acos() / position as f64)
        };
        // An angle of about 1 is told best.
        let position = (1.0 / angle(1)?).clamp(1.0, self.rows.len() as f64 - 1.0) as usize;
        let base = angle(position)?.powf(self.head_dim as f64 / -2.0);
        let is_told = |base: &f64| self.head_dim >= 4 && self.has_base(*base);
        format!("{base:.3e}").parse().ok().filter(is_told)
    }
}

impl Shapes {
    /// # Errors
    ///
    /// If tensors without which nothing can be said are missing.
    pub(super) fn of(
        place: &str,
        tensors: &HashMap<String, Tensor>,
        rotary: Option<&Tensor>,
    ) -> anyhow::Result<Self> {
        let matrix = |name: &str| match tensors.get(name).map(Tensor::dims) {
            Some(&[rows, columns]) => Ok((rows, columns)),
            Some(&[0]) => Err(usage(format!(
                "{place}: `{name}` has shape [0]: its numbers are in other files, of which every \
                 process has written a part. Make one file of them first, those of DeepSpeed with \
                 `python zero_to_fp32.py FOLDER FILE`"
            ))),
            Some(dims) => {
                Err(usage(format!("{place}: `{name}` has shape {dims:?}, expected a matrix")))
            }
            None => {
                let mut found: Vec<_> = tensors.keys().map(String::as_str).collect();
                found.sort_unstable();
                found.truncate(5);
                let found = found.join("`, `");
                Err(usage(format!("{place}: no tensor `{name}`, only `{found}` and the like")))
            }
        };
        let n_layers = |module: &str| {
            let weight = |layer| format!("{}.mlp.down_proj.weight", names::layer(module, layer));
            (0..).take_while(|layer| tensors.contains_key(&weight(*layer))).count()
        };
        let (vocab_size, hidden_dim) = matrix(names::TOKENS)?;
        let first = names::layer(names::L_MODULE, 0);
        let (_, inner_dim) = matrix(&format!("{first}.mlp.down_proj.weight"))?;
        let over_positions = format!("{first}.mlp_t.down_proj.weight");
        let mixed = match tensors.contains_key(&over_positions) {
            true => Some(matrix(&over_positions)?),
            false => None,
        };
        // An inner dimension is rounded up, so any expansion within a range gives it. The
        // ranges of two overlap at the end of one of them.
        let expansions = [Some((hidden_dim, inner_dim)), mixed].into_iter().flatten();
        let expansion = expansions
            .map(|(width, inner_dim)| inner_dim as f64 * 1.5 / width.max(1) as f64)
            .fold(f64::INFINITY, f64::min);
        let has_positions = tensors.contains_key(names::POSITIONS);
        let rotary = rotary.map(|table| Rotary::of(place, table)).transpose()?;
        let n_positions = match mixed {
            Some((n_positions, _)) => Some((n_positions, over_positions)),
            None if has_positions => {
                Some((matrix(names::POSITIONS)?.0, names::POSITIONS.to_owned()))
            }
            None => {
                rotary.as_ref().and_then(|table| Some((table.n_positions?, table.name.to_owned())))
            }
        };
        let (n_puzzle_ids, puzzle_dim) =
            if tensors.contains_key(names::PUZZLES) { matrix(names::PUZZLES)? } else { (1, 0) };
        Ok(Self {
            place: place.to_owned(),
            vocab_size,
            hidden_dim,
            expansion,
            n_h_layers: n_layers(names::H_MODULE),
            n_l_layers: n_layers(names::L_MODULE),
            n_puzzle_ids,
            puzzle_dim,
            has_positions,
            mixer: if mixed.is_some() { Mixer::Mlp } else { Mixer::Attention },
            n_positions,
            rotary,
        })
    }

    /// Number of cells, if the table of rotary embeddings gives the number of all positions, and
    /// the positions of the puzzle embedding are known.
    ///
    /// # Errors
    ///
    /// If the config has something else than a number.
    pub(super) fn n_cells(&self, published: &Published) -> anyhow::Result<Option<usize>> {
        let Some(n_positions) = self.rotary.as_ref().and_then(|table| table.n_positions) else {
            return Ok(None);
        };
        let n_prefix = match published.count("puzzle_emb_len")? {
            _ if self.puzzle_dim == 0 => 0,
            Some(0) => self.n_prefix_least(),
            Some(given) => given,
            None if self.n_h_layers > 0 => self.n_prefix_least(),
            None => return Ok(None),
        };
        Ok(n_positions.checked_sub(n_prefix).filter(|n_cells| *n_cells > 0))
    }

    /// The positions that the channels of the puzzle embedding need.
    fn n_prefix_least(&self) -> usize {
        self.puzzle_dim.div_ceil(self.hidden_dim.max(1))
    }

    /// The config of the model, and the settings in it that nothing gives.
    ///
    /// # Errors
    ///
    /// If the config beside the weights says something else than their shapes.
    pub(super) fn config(
        &self,
        published: &Published,
        n_cells: usize,
    ) -> anyhow::Result<(HrmConfig, Vec<String>)> {
        if let Some(own) = &published.own {
            let of_own = own.input.n_cells;
            if of_own != n_cells {
                return Err(published.wrong(format!(
                    "the model is for puzzles of {of_own} cells, not of {n_cells}"
                )));
            }
            return Ok((own.clone(), Vec::new()));
        }
        // A checkpoint without an H module is a Tiny Recursive Model.
        let variant = published.variant;
        let modules = variant.map(|variant| variant.modules);
        let is_recursive = self.n_h_layers == 0;
        self.check(published, modules.unwrap_or_default())?;
        let start = if is_recursive { HrmConfig::tiny_recursive() } else { HrmConfig::paper() };
        let mut open = Open::default();
        let n_heads = match (self.n_heads(published)?, published.count("num_heads")?) {
            (Some(n_heads), _) => n_heads,
            (None, given) => open.or("num_heads", given, (self.hidden_dim / 64).max(1)),
        };
        let positions = match published.positions()? {
            Some(positions) => positions,
            None if self.has_positions => Positions::Learned,
            None if self.rotary.is_some() => Positions::Rope,
            // Positions have no effect on a SwiGLU over them.
            None if self.mixer == Mixer::Mlp => Positions::None,
            None => open.or_text("pos_encodings", "rope", Positions::Rope),
        };
        let recurrence = &start.recurrence;
        let n_h_cycles = open.or("H_cycles", published.count("H_cycles")?, recurrence.n_h_cycles);
        let n_l_cycles = open.or("L_cycles", published.count("L_cycles")?, recurrence.n_l_cycles);
        let n_segments_max = open.or(
            "halt_max_steps",
            published.count("halt_max_steps")?,
            start.halting.n_segments_max,
        );
        let exploration = open.or(
            "halt_exploration_prob",
            published.real("halt_exploration_prob")?,
            start.halting.exploration,
        );
        let rope_base = published.real("rope_theta")?;
        let rope_base = match positions {
            Positions::Rope => match self.rope_base(published, start.block.rope_base)? {
                Some(rope_base) => rope_base,
                None => open.or("rope_theta", rope_base, start.block.rope_base),
            },
            _ => rope_base.unwrap_or(start.block.rope_base),
        };
        let norm_eps =
            open.or("rms_norm_eps", published.real("rms_norm_eps")?, start.block.norm_eps);
        let halts_only = published.flag("no_ACT_continue")?;
        let rule = match (variant, halts_only) {
            (Some(variant), _) => variant.halting,
            (None, Some(true)) => HaltRule::HaltOnly,
            (None, Some(false)) => HaltRule::QLearning,
            (None, None) if is_recursive => {
                open.or_text("no_ACT_continue", "true", HaltRule::HaltOnly)
            }
            (None, None) => HaltRule::QLearning,
        };
        let n_prefix = self.n_prefix(published, n_cells, is_recursive, &mut open)?;
        let counted = |key: &str| published.count(key);
        let (n_h_layers, n_l_layers) = match modules {
            Some(Modules::Flat) => {
                let n_l_layers = counted("L_layers")?.unwrap_or(self.n_l_layers);
                (self.n_l_layers.saturating_sub(n_l_layers), n_l_layers)
            }
            // The published code has the key, and ignores it.
            _ if is_recursive => match (modules, counted("H_layers")?) {
                (Some(_), Some(n_h_layers)) => (n_h_layers, self.n_l_layers),
                _ => (self.n_l_layers, self.n_l_layers),
            },
            _ => (self.n_h_layers, self.n_l_layers),
        };
        let expansion = published.real("expansion")?.unwrap_or(self.expansion);
        let config =
            start.with(|HrmConfig { input, puzzle_embedding, block, recurrence, halting }| {
                input.vocab_size = self.vocab_size;
                input.n_cells = n_cells;
                input.n_puzzle_ids = self.n_puzzle_ids;
                puzzle_embedding.dim = self.puzzle_dim;
                puzzle_embedding.n_positions = n_prefix;
                block.hidden_dim = self.hidden_dim;
                block.mixer = self.mixer;
                block.n_heads = n_heads;
                block.expansion = expansion;
                block.positions = positions;
                block.rope_base = rope_base;
                block.norm_eps = norm_eps;
                recurrence.n_h_layers = n_h_layers;
                recurrence.n_l_layers = n_l_layers;
                recurrence.n_h_cycles = n_h_cycles;
                recurrence.n_l_cycles = n_l_cycles;
                if let Some(variant) = variant {
                    recurrence.modules = variant.modules;
                    recurrence.gradient_span = variant.gradient_span;
                    recurrence.initial_states = variant.initial_states;
                    recurrence.damping = variant.damping;
                }
                halting.rule = rule;
                halting.n_segments_max = n_segments_max;
                halting.exploration = exploration;
            });
        Ok((config, open.0))
    }

    /// The number of heads that the table of rotary embeddings is for, if there is one.
    fn n_heads(&self, published: &Published) -> anyhow::Result<Option<usize>> {
        let Some(Rotary { name, head_dim, .. }) = self.rotary else { return Ok(None) };
        if head_dim == 0 || !self.hidden_dim.is_multiple_of(head_dim) {
            return Err(usage(format!(
                "{}: `{name}` is for heads of {head_dim} channels, which do not divide the {} \
                 of `{}`",
                self.place,
                self.hidden_dim,
                names::TOKENS
            )));
        }
        let n_heads = self.hidden_dim / head_dim;
        match published.count("num_heads")? {
            Some(given) if given != n_heads => {
                let what = format!("`{name}` is for heads of {head_dim} channels");
                Err(self.contradiction(published, "num_heads", given, n_heads, &what))
            }
            _ => Ok(Some(n_heads)),
        }
    }

    /// The base of the table of rotary embeddings, if there is one.
    fn rope_base(&self, published: &Published, default: f64) -> anyhow::Result<Option<f64>> {
        let Some(rotary) = &self.rotary else { return Ok(None) };
        let of_table = Some(default).filter(|base| rotary.has_base(*base)).or(rotary.base());
        match (published.real("rope_theta")?, of_table) {
            (Some(given), _) if rotary.has_base(given) => Ok(Some(given)),
            (None, Some(base)) => Ok(Some(base)),
            (Some(given), Some(base)) => {
                let what = format!("`{}`", rotary.name);
                Err(self.contradiction(published, "rope_theta", given, base, &what))
            }
            (given, None) => {
                let base =
                    given.map_or("any `rope_theta`".to_owned(), |n| format!("`rope_theta` {n}"));
                Err(usage(format!("{}: `{}` is not the table of {base}", self.place, rotary.name)))
            }
        }
    }

    /// Number of positions of the puzzle embedding.
    fn n_prefix(
        &self,
        published: &Published,
        n_cells: usize,
        is_recursive: bool,
        open: &mut Open,
    ) -> anyhow::Result<usize> {
        let least = self.n_prefix_least();
        let given = published.count("puzzle_emb_len")?;
        let is_hrm = published.architecture().is_some_and(|(_, is_recursive)| !is_recursive);
        // What `hrm export` writes has a variant, and follows the key.
        let ignores_key = is_hrm && published.variant.is_none() && self.puzzle_dim > 0;
        if let Some(given) = given.filter(|given| ignores_key && ![0, least].contains(given)) {
            let what = "HRM has as many positions as the channels of `inner.puzzle_emb` need";
            return Err(self.contradiction(published, "puzzle_emb_len", given, least, what));
        }
        let n_prefix = match given {
            _ if self.puzzle_dim == 0 => 0,
            // As many as its channels need.
            Some(0) => least,
            Some(n_prefix) => n_prefix,
            // The published code of HRM has no other number.
            None if !is_recursive => least,
            None => match &self.n_positions {
                Some((n_positions, _)) => n_positions.saturating_sub(n_cells).max(1),
                None => open.or("puzzle_emb_len", None, 16),
            },
        };
        match &self.n_positions {
            Some((n_positions, tensor)) if n_prefix + n_cells != *n_positions => {
                Err(usage(format!(
                    "{}: `{tensor}` is for {n_positions} positions, but {n_cells} cells (`seq_len`, or \
                 --cells) and {n_prefix} of the puzzle embedding (`puzzle_emb_len`) are {}",
                    self.place,
                    n_prefix + n_cells
                )))
            }
            _ => Ok(n_prefix),
        }
    }

    /// Refuses weights whose modules are not those of the architecture that the config names.
    ///
    /// # Errors
    ///
    /// If it names one of the other kind.
    pub(super) fn check_architecture(&self, published: &Published) -> anyhow::Result<()> {
        let (place, h_module) = (&self.place, names::H_MODULE);
        let is_recursive = self.n_h_layers == 0;
        match published.architecture().filter(|named| named.1 != is_recursive) {
            Some((name, _)) => {
                let has = if is_recursive { "no" } else { "an" };
                Err(published.wrong(format!(
                    "`name` is {name}, but the weights in {place} have {has} `{h_module}`"
                )))
            }
            None => Ok(()),
        }
    }

    /// Refuses a config that says something else than the shapes.
    fn check(&self, published: &Published, modules: Modules) -> anyhow::Result<()> {
        let is_flat = modules == Modules::Flat;
        let is_recursive = self.n_h_layers == 0;
        // The published code of a model of one module has the key, and ignores it.
        let counts_h_layers =
            !is_recursive || published.variant.is_none() && published.architecture().is_none();
        let sizes = [
            ("vocab_size", Some(self.vocab_size), "rows of `inner.embed_tokens`"),
            ("hidden_size", Some(self.hidden_dim), "columns of `inner.embed_tokens`"),
            ("num_puzzle_identifiers", Some(self.n_puzzle_ids), "rows of `inner.puzzle_emb`"),
            ("puzzle_emb_ndim", Some(self.puzzle_dim), "columns of `inner.puzzle_emb`"),
            ("L_layers", (!is_flat).then_some(self.n_l_layers), "layers of `inner.L_level`"),
            ("H_layers", counts_h_layers.then_some(self.n_h_layers), "layers of `inner.H_level`"),
        ];
        for (key, of_weights, what) in sizes {
            let (Some(of_weights), Some(given)) = (of_weights, published.count(key)?) else {
                continue;
            };
            if given != of_weights {
                return Err(self.contradiction(published, key, given, of_weights, what));
            }
        }
        let mixes = self.mixer == Mixer::Mlp;
        if let Some(given) = published.flag("mlp_t")?.filter(|given| *given != mixes) {
            let what = if mixes { "they have `mlp_t`" } else { "they have no `mlp_t`" };
            return Err(self.contradiction(published, "mlp_t", given, mixes, what));
        }
        if let Some(given) = published.positions()? {
            if let Some(Rotary { name, .. }) =
                self.rotary.as_ref().filter(|_| given != Positions::Rope)
            {
                return Err(published.wrong(format!(
                    "`pos_encodings` is not rope, but the weights in {} have a table `{name}`",
                    self.place
                )));
            }
            let is_learned = given == Positions::Learned;
            if is_learned != self.has_positions {
                let (has, name) = (if self.has_positions { "a" } else { "no" }, names::POSITIONS);
                return Err(usage(format!(
                    "{}: `pos_encodings` is {}, but the weights in {} have {has} table `{name}`",
                    published.place(),
                    if is_learned { "learned" } else { "not learned" },
                    self.place
                )));
            }
        }
        Ok(())
    }

    fn contradiction(
        &self,
        published: &Published,
        key: &str,
        given: impl Display,
        of_weights: impl Display,
        what: &str,
    ) -> anyhow::Error {
        usage(format!(
            "{}: `{key}` is {given}, but {of_weights} in the weights of {} ({what})",
            published.place(),
            self.place
        ))
    }
}

/// Settings that nothing gives, with the values that are taken.
#[derive(Default)]
struct Open(Vec<String>);

impl Open {
    fn or<T: Display>(&mut self, key: &str, given: Option<T>, default: T) -> T {
        given.unwrap_or_else(|| {
            self.0.push(format!("{key} {default}"));
            default
        })
    }

    fn or_text<T>(&mut self, key: &str, text: &str, default: T) -> T {
        self.0.push(format!("{key} {text}"));
        default
    }
}
