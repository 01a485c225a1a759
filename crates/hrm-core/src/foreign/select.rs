//! Which tensors of a file are the model's, judged by their names.
//!
//! Trainers save a model under prefixes (`_orig_mod.model.inner.H_init`) and in
//! dictionaries (`state_dict`, beside `optimizer_states`). A name belongs to a model from
//! its first component that only HRM and TRM have, whatever is before it.

use std::collections::BTreeMap;

use super::error::ForeignError;
use crate::listing::{Dictionary, Listed, Listing};
use crate::names;

/// Most models of a dictionary that are told apart.
const N_MODELS_MAX: usize = 16;

/// Components that wrappers insert anywhere in a name.
const WRAPPERS: [&str; 5] = [
    "_orig_mod",
    "module",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// First components of the names of a model, without `inner`.
const HEADS: [&str; 10] = [
    "embed_tokens",
    "embed_pos",
    "puzzle_emb",
    "lm_head",
    "q_head",
    "H_init",
    "L_init",
    "H_level",
    "L_level",
    "rotary_emb",
];

/// Components of the names of tensors that can be computed, or that only training needs.
const BUFFERS: [&str; 22] = [
    "rotary_emb",
    "rope",
    "local_weights",
    "local_ids",
    "cos_cached",
    "sin_cached",
    "cos",
    "sin",
    "cos_sin",
    "inv_freq",
    "freqs",
    "freqs_cos",
    "freqs_sin",
    "freqs_cis",
    "num_batches_tracked",
    "mask",
    "attn_mask",
    "attention_mask",
    "causal_mask",
    "padding_mask",
    "position_ids",
    "_extra_state",
];

/// Parts of the names of tensors that are trained, whatever their type.
const TRAINED: [&str; 8] =
    ["weight", "bias", "lora", "scale", "gamma", "beta", "zero_point", "zeros"];

/// First components of the names of nano-trm's models.
const NANO_TRM: [&str; 8] =
    ["lenet", "L_net", "H_net", "input_embedding", "output_head", "Q_head", "z_init", "y_init"];

/// The tensors of one model.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Dictionary and prefix, joined by `.`; empty if there is neither.
    pub(crate) name: String,
    /// Path of the dictionary.
    pub(crate) dictionary: String,
    /// Names of parameters: those in the file, and the model's own.
    pub(crate) wanted: BTreeMap<String, String>,
    /// Tensors that no model needs.
    pub(crate) passed_over: Vec<String>,
    /// Tensors that a model would need, but which no HRM or TRM has.
    pub(crate) unknown: Vec<String>,
    /// The first parameter that is not stored as real numbers.
    pub(crate) not_real: Option<String>,
}

/// A name as its prefix, `inner` included, and the model's own name.
fn split(name: &str) -> Option<(String, String)> {
    let parts = without_wrappers(name);
    let at = parts.iter().position(|part| HEADS.contains(part))?;
    Some((parts[..at].join("."), format!("inner.{}", parts[at..].join("."))))
}

fn without_wrappers(name: &str) -> Vec<&str> {
    name.split('.').filter(|part| !WRAPPERS.contains(part)).collect()
}

/// All models in the dictionaries, at most a few of each: more than one is an error anyway.
pub(crate) fn parts(dictionaries: &[Dictionary]) -> Vec<Part> {
    let mut parts = Vec::new();
    for Dictionary { path, tensors } in dictionaries {
        let mut models: BTreeMap<String, Part> = BTreeMap::new();
        for Listed { name, is_real } in tensors {
            let Some((prefix, own)) = split(name) else { continue };
            models.entry(prefix).or_default().add(name, own, *is_real);
        }
        models.retain(|_, part| part.is_model());
        let n_models = models.len();
        let mut models: Vec<_> = models.into_iter().take(N_MODELS_MAX).collect();
        for Listed { name, is_real } in
            tensors.iter().filter(|tensor| split(&tensor.name).is_none())
        {
            let clean = without_wrappers(name).join(".");
            let is_below = |prefix: &str| {
                prefix.is_empty()
                    || clean.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
            };
            let above = models.iter_mut().filter(|(prefix, _)| is_below(prefix));
            match above.max_by_key(|(prefix, _)| prefix.len()) {
                Some((_, part)) => part.add(name, clean, *is_real),
                // Beside the only model: another network, or a loss with tensors of its own.
                None if n_models == 1 => models[0].1.passed_over.push(name.clone()),
                None => {}
            }
        }
        for (prefix, mut part) in models {
            let prefix = prefix.strip_suffix("inner").unwrap_or(&prefix).trim_end_matches('.');
            let named: Vec<_> =
                [path.as_str(), prefix].into_iter().filter(|part| !part.is_empty()).collect();
            part.name = named.join(".");
            part.dictionary.clone_from(path);
            parts.push(part);
        }
    }
    parts
}

impl Part {
    fn add(&mut self, name: &str, own: String, is_real: bool) {
        let own_name = own.as_str();
        if names::is_parameter(own_name) {
            if !is_real {
                self.not_real.get_or_insert_with(|| name.to_owned());
            }
            self.wanted.insert(name.to_owned(), own);
        } else if is_unneeded(own_name, is_real) {
            self.passed_over.push(name.to_owned());
        } else {
            self.unknown.push(name.to_owned());
        }
    }

    /// Whether it has tensors that only an HRM or TRM has.
    fn is_model(&self) -> bool {
        let is_own = |name: &String| name == names::TOKENS || names::is_in_module(name);
        self.wanted.values().any(is_own)
    }
}

/// Whether a model can do without a tensor that is no parameter.
fn is_unneeded(name: &str, is_real: bool) -> bool {
    let is_buffer = name.split('.').any(|part| BUFFERS.contains(&part));
    let last = name.rsplit('.').next().unwrap_or(name);
    is_buffer || !is_real && !TRAINED.iter().any(|part| last.contains(part))
}

/// The part with this name, or the only one.
///
/// # Errors
///
/// [`ForeignError`] if there is none or more than one.
pub(super) fn choose(
    mut parts: Vec<Part>,
    listing: &Listing,
    wanted: Option<&str>,
    path: &std::path::Path,
) -> Result<Part, ForeignError> {
    let path = path.to_owned();
    let names = |parts: &[Part]| {
        let name = |part: &Part| match part.name.chars().take(120).collect::<String>() {
            // The tensors of the outermost dictionary that have no prefix.
            name if name.is_empty() => ".".to_owned(),
            name => name,
        };
        parts.iter().take(8).map(name).collect::<Vec<_>>()
    };
    if parts.is_empty() {
        return Err(ForeignError::NoModel { path, found: found(listing) });
    }
    if let Some(wanted) = wanted {
        let at = parts.iter().position(|part| part.name == wanted.trim_matches('.'));
        return match at {
            Some(at) => Ok(parts.swap_remove(at)),
            None => {
                Err(ForeignError::NoPart { path, part: wanted.to_owned(), parts: names(&parts) })
            }
        };
    }
    match parts.len() {
        1 => Ok(parts.swap_remove(0)),
        _ => Err(ForeignError::Ambiguous { path, parts: names(&parts) }),
    }
}

/// Some of the names in a file, and whose they seem to be.
fn found(listing: &Listing) -> String {
    let tensors = listing.dictionaries.iter().flat_map(|dictionary| &dictionary.tensors);
    let mut sorted: Vec<_> = tensors.map(|tensor| tensor.name.as_str()).collect();
    sorted.sort_unstable();
    let short = |name: &str| name.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
    let shown: Vec<_> = sorted.iter().take(8).map(|name| format!("`{}`", short(name))).collect();
    let mut text = match sorted.len() {
        0 => "no tensors".to_owned(),
        n if n > shown.len() => format!("{} and {} more", shown.join(", "), n - shown.len()),
        _ => shown.join(", "),
    };
    if sorted.is_empty() && !listing.others.is_empty() {
        let keys: Vec<_> = listing.others.iter().take(8).map(|key| short(key)).collect();
        text = format!("{text} under the keys {}", keys.join(", "));
    }
    let is_nano = |name: &&str| name.split('.').any(|part| NANO_TRM.contains(&part));
    let n_nano = sorted.iter().filter(|name| is_nano(name)).count();
    if n_nano > 1 && n_nano * 2 > sorted.len() {
        text += ". These are names of nano-trm, another model: its weights cannot be used";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn dictionary(path: &str, tensors: &[(&str, bool)]) -> Dictionary {
        let listed =
            |(name, is_real): &(&str, bool)| Listed { name: (*name).to_owned(), is_real: *is_real };
        Dictionary { path: path.to_owned(), tensors: tensors.iter().map(listed).collect() }
    }

    fn chosen(dictionaries: Vec<Dictionary>, part: Option<&str>) -> Result<Part, String> {
        let listing = Listing { dictionaries, others: Vec::new() };
        choose(parts(&listing.dictionaries), &listing, part, Path::new("f"))
            .map_err(|err| err.to_string())
    }

    #[test]
    fn wrappers_are_removed_in_any_order_and_number() {
        for prefix in [
            "",
            "inner.",
            "model.inner.",
            "_orig_mod.model.inner.",
            "module._orig_mod.model.module.inner.",
            "ema_model.module.inner._orig_mod.",
            "net.model.",
        ] {
            let name = format!("{prefix}L_level.layers.0._orig_mod.mlp.down_proj.weight");
            let part = chosen(vec![dictionary("", &[(&name, true)])], None).unwrap();
            assert_eq!(part.wanted[&name], "inner.L_level.layers.0.mlp.down_proj.weight");
        }
    }

    #[test]
    fn what_no_model_needs_is_passed_over_by_name_before_type() {
        let tokens = ("_orig_mod.model.inner.embed_tokens.embedding_weight", true);
        let buffers = [
            ("_orig_mod.model.inner.mask", false),
            ("_orig_mod.model.inner.freqs_cis", false),
            ("_orig_mod.model.inner.puzzle_emb.local_weights", true),
            ("_orig_mod.model.inner.puzzle_emb.local_ids", false),
            ("_orig_mod.model.inner.rotary_emb.cos_cached", true),
            ("_orig_mod.model.inner.L_level.layers.0.self_attn.steps", false),
            ("_orig_mod.model.inner.norm.num_batches_tracked", false),
            ("_orig_mod.loss_fn.class_weight", true),
        ];
        let part = chosen(vec![dictionary("", &[&[tokens][..], &buffers].concat())], None).unwrap();
        assert_eq!((part.wanted.len(), part.passed_over.len()), (1, buffers.len()));
        assert!(part.unknown.is_empty() && part.not_real.is_none());
        // A trained tensor is never passed over, whatever its type.
        for name in ["norm.weight", "L_level.layers.0.self_attn.qkv_proj.bias", "adapter.lora_A"] {
            for is_real in [true, false] {
                let part = chosen(
                    vec![dictionary(
                        "",
                        &[
                            ("inner.embed_tokens.embedding_weight", true),
                            (&format!("inner.{name}"), is_real),
                        ],
                    )],
                    None,
                );
                assert_eq!(part.unwrap().unknown.len(), 1, "{name}");
            }
        }
        let part = chosen(vec![dictionary("", &[(tokens.0, false)])], None).unwrap();
        assert_eq!(part.not_real.as_deref(), Some(tokens.0));
    }

    #[test]
    fn a_model_is_found_in_one_dictionary_or_named() {
        let model = |path| dictionary(path, &[("inner.embed_tokens.embedding_weight", true)]);
        let other = dictionary("optimizer.state.0", &[("exp_avg", true)]);
        let part = chosen(vec![other, model("state_dict")], None).unwrap();
        assert_eq!(part.name, "state_dict");
        let both = || vec![model("model"), model("ema")];
        let message = chosen(both(), None).unwrap_err();
        assert!(message.contains("--part: model, ema"), "{message}");
        assert_eq!(chosen(both(), Some("ema")).unwrap().dictionary, "ema");
        let message = chosen(both(), Some("teacher")).unwrap_err();
        assert!(message.contains("`teacher`, only in model, ema"), "{message}");
        // Two copies under different prefixes of one dictionary.
        let copies = dictionary(
            "state_dict",
            &[
                ("model.inner.embed_tokens.embedding_weight", true),
                ("ema.model.inner.embed_tokens.embedding_weight", true),
            ],
        );
        let message = chosen(vec![copies], None).unwrap_err();
        assert!(message.contains("state_dict.ema.model, state_dict.model"), "{message}");
    }

    #[test]
    fn other_models_are_named_as_such() {
        let names =
            [("lenet.layers.0.mlp.up.weight", true), ("Q_head.weight", true), ("z_init", true)];
        let message = chosen(vec![dictionary("state_dict", &names)], None).unwrap_err();
        assert!(message.contains("`lenet.layers.0.mlp.up.weight`"), "{message}");
        assert!(message.contains("nano-trm"), "{message}");
        let llama = [("model.embed_tokens.weight", true), ("model.layers.0.mlp.up.weight", true)];
        let message = chosen(vec![dictionary("", &llama)], None).unwrap_err();
        assert!(message.contains("found `model.embed_tokens.weight`"), "{message}");
        assert!(!message.contains("nano-trm"), "{message}");
    }
}
