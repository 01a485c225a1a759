//! Which tensors of a file are the model's, judged by their names.
//!
//! Trainers save a model under prefixes (`_orig_mod.model.inner.H_init`) and in
//! dictionaries (`state_dict`, beside `optimizer_states`). A name belongs to a model from
//! its first component that only HRM and TRM have, whatever is before it.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ForeignError;
use hrm_base::words::counted;

use crate::listing::{Dictionary, Listed, Listing};
use crate::names;

/// Most models of a dictionary that are told apart.
const N_MODELS_MAX: usize = 16;

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
    /// The table of rotary position embeddings, or else their frequencies. Both can be computed.
    pub(crate) rotary: Option<String>,
    /// Tensors that a model would need, but which no HRM or TRM has.
    pub(crate) unknown: Vec<String>,
    /// The first parameter that is not stored as floating-point numbers, and how it is.
    pub(crate) not_real: Option<(String, String)>,
    /// The first parameter that two tensors are, and their names.
    pub(crate) twice: Option<(String, [String; 2])>,
    /// Names of parameters in the file.
    name_of: BTreeMap<String, String>,
    /// Parameters that are no buffers, with their shapes, in the order of the file.
    in_order: Vec<(String, Vec<usize>)>,
}

/// The model to read.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) part: Part,
    /// The buffers that it lacks, from the only other model that has all its parameters.
    pub(crate) beside: Option<Part>,
}

/// A name as its prefix, `inner` included, and the model's own name.
fn split(name: &str) -> Option<(String, String)> {
    let parts = names::without_wrappers(name);
    let at = parts.iter().position(|part| HEADS.contains(part))?;
    Some((parts[..at].join("."), format!("inner.{}", parts[at..].join("."))))
}

/// All models in the dictionaries, at most a few of each: more than one is an error anyway.
pub(crate) fn parts(dictionaries: &[Dictionary]) -> Vec<Part> {
    let mut parts = Vec::new();
    for Dictionary { path, tensors, .. } in dictionaries.iter().filter(|found| !found.is_list) {
        let mut models: BTreeMap<String, Part> = BTreeMap::new();
        for tensor in tensors {
            let Some((prefix, own)) = split(&tensor.name) else { continue };
            models.entry(prefix).or_default().add(tensor, own);
        }
        models.retain(|_, part| part.is_model());
        let n_models = models.len();
        let mut models: Vec<_> = models.into_iter().take(N_MODELS_MAX).collect();
        for tensor in tensors.iter().filter(|tensor| split(&tensor.name).is_none()) {
            let clean = names::without_wrappers(&tensor.name).join(".");
            let is_below = |prefix: &str| {
                prefix.is_empty()
                    || clean.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
            };
            let above = models.iter_mut().filter(|(prefix, _)| is_below(prefix));
            match above.max_by_key(|(prefix, _)| prefix.len()) {
                Some((_, part)) => part.add(tensor, clean),
                // Beside the only model: another network, or a loss with tensors of its own.
                None if n_models == 1 => models[0].1.passed_over.push(tensor.name.clone()),
                None => {}
            }
        }
        for (prefix, mut part) in models {
            let named = |prefix: &str| {
                let both = [path.as_str(), prefix].into_iter().filter(|name| !name.is_empty());
                both.collect::<Vec<_>>().join(".")
            };
            let short =
                named(prefix.strip_suffix("inner").unwrap_or(&prefix).trim_end_matches('.'));
            let is_taken = parts.iter().any(|part: &Part| part.name == short);
            part.name = if is_taken { named(&prefix) } else { short };
            part.dictionary.clone_from(path);
            parts.push(part);
        }
    }
    let lists = dictionaries.iter().filter(|found| found.is_list);
    let lists: Vec<_> = lists.filter_map(|list| of_list(list, &parts)).collect();
    parts.extend(lists);
    parts
}

/// The parameters in a list without names: those of the first model with as many of the same
/// shapes in the same order.
fn of_list(list: &Dictionary, models: &[Part]) -> Option<Part> {
    let is_model = |part: &&Part| {
        part.in_order.len() == list.tensors.len()
            && part
                .in_order
                .iter()
                .zip(&list.tensors)
                .all(|((_, shape), tensor)| tensor.not_real.is_none() && *shape == tensor.shape)
    };
    let model = models.iter().find(is_model)?;
    let own = model.in_order.iter().map(|(own, _)| own.clone());
    let names = list.tensors.iter().map(|tensor| tensor.name.clone());
    Some(Part {
        name: list.path.clone(),
        dictionary: list.path.clone(),
        wanted: names.zip(own).collect(),
        ..Part::default()
    })
}

impl Part {
    fn add(&mut self, tensor: &Listed, own: String) {
        let name = tensor.name.clone();
        if names::is_parameter(&own) {
            if let Some(found) = &tensor.not_real {
                self.not_real.get_or_insert_with(|| (name.clone(), found.clone()));
            }
            let other = self.name_of.insert(own.clone(), name.clone());
            if let Some(other) = other.filter(|other| *other != name) {
                self.twice.get_or_insert_with(|| (own.clone(), [other, name.clone()]));
            }
            if !names::is_buffer(&own) {
                self.in_order.push((own.clone(), tensor.shape.clone()));
            }
            self.wanted.insert(name, own);
        } else if is_unneeded(&own, tensor.not_real.is_none()) {
            let is_rotary = |table: &str| own.ends_with(table) && tensor.not_real.is_none();
            if is_rotary("rotary_emb.cos_cached")
                || is_rotary("rotary_emb.inv_freq") && self.rotary.is_none()
            {
                self.rotary = Some(name.clone());
            }
            self.passed_over.push(name);
        } else {
            self.unknown.push(name);
        }
    }

    /// The buffers that it lacks and another model has, with all its parameters.
    fn completed_by(&self, other: &Self) -> Option<Self> {
        let own: BTreeSet<_> = self.wanted.values().collect();
        let of_other: BTreeSet<_> = other.wanted.values().collect();
        let is_lacking = |own_name: &String| !own.contains(own_name);
        let wanted: BTreeMap<_, _> = other
            .wanted
            .iter()
            .filter(|(_, own_name)| is_lacking(own_name))
            .map(|(name, own_name)| (name.clone(), own_name.clone()))
            .collect();
        let completes = own.is_subset(&of_other)
            && other.not_real.is_none()
            && !wanted.is_empty()
            && wanted.values().all(|own_name| names::is_buffer(own_name));
        let (name, dictionary) = (other.name.clone(), other.dictionary.clone());
        completes.then(|| Self { name, dictionary, wanted, ..Self::default() })
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

/// The part with this name or with this part of a name, or the only one.
///
/// # Errors
///
/// [`ForeignError`] if there is none or more than one.
pub(super) fn choose(
    mut parts: Vec<Part>,
    listing: &Listing,
    wanted: Option<&str>,
    path: &std::path::Path,
) -> Result<Chosen, ForeignError> {
    let path = path.to_owned();
    let names = |parts: &mut dyn Iterator<Item = &Part>| {
        let name = |part: &Part| match part.name.chars().take(120).collect::<String>() {
            // The tensors of the outermost dictionary that have no prefix.
            name if name.is_empty() => ".".to_owned(),
            name => name,
        };
        parts.take(8).map(name).collect::<Vec<_>>()
    };
    if parts.is_empty() {
        return Err(ForeignError::NoModel { path, found: found(listing) });
    }
    let matching: Vec<usize> = match wanted.map(|wanted| wanted.trim_matches('.')) {
        None => (0..parts.len()).collect(),
        Some(wanted) => {
            let at = |is_it: &dyn Fn(&str) -> bool| -> Vec<usize> {
                (0..parts.len()).filter(|at| is_it(&parts[*at].name)).collect()
            };
            let exact = at(&|name| name == wanted);
            let inside = format!(".{wanted}.");
            let is_part = |name: &str| !wanted.is_empty() && format!(".{name}.").contains(&inside);
            if exact.is_empty() { at(&is_part) } else { exact }
        }
    };
    let part = match (matching.as_slice(), wanted) {
        ([at], _) => parts.swap_remove(*at),
        ([], Some(wanted)) => {
            let (part, lists) = (wanted.to_owned(), listing.dictionaries.iter());
            return Err(match lists.clone().find(|list| list.is_list && list.path == wanted) {
                Some(list) => ForeignError::List { path, part, n: list.tensors.len() },
                None => ForeignError::NoPart { path, part, parts: names(&mut parts.iter()) },
            });
        }
        (several, _) => {
            let parts = names(&mut several.iter().map(|at| &parts[*at]));
            return Err(ForeignError::Ambiguous { path, parts });
        }
    };
    let mut completing = parts.iter().filter_map(|other| part.completed_by(other));
    let beside = match (completing.next(), completing.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    Ok(Chosen { part, beside })
}

/// Some of the names in a file, and whose they seem to be.
fn found(listing: &Listing) -> String {
    let (lists, named): (Vec<_>, Vec<_>) =
        listing.dictionaries.iter().partition(|dictionary| dictionary.is_list);
    let mut sorted: Vec<(&str, &str)> = Vec::new();
    for Dictionary { path, tensors, .. } in named {
        sorted.extend(tensors.iter().map(|tensor| (path.as_str(), tensor.name.as_str())));
    }
    sorted.sort_unstable();
    let short = |name: &str| name.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
    // In one dictionary, a name says enough.
    let are_apart = sorted.first().map(|(path, _)| path) != sorted.last().map(|(path, _)| path);
    let whole = |(path, name): &(&str, &str)| match *path {
        path if path.is_empty() || !are_apart => format!("`{}`", short(name)),
        path => format!("`{}.{}`", short(path), short(name)),
    };
    let shown: Vec<_> = sorted.iter().take(8).map(whole).collect();
    let mut text = match sorted.len() {
        0 => "no tensors".to_owned(),
        n if n > shown.len() => format!("{} and {} more", shown.join(", "), n - shown.len()),
        _ => shown.join(", "),
    };
    if let (true, Some(list)) = (sorted.is_empty(), lists.first()) {
        let tensors = counted(list.tensors.len(), "tensor", "tensors");
        text = format!("a list of {tensors} without names");
        if !list.path.is_empty() {
            text = format!("{text} (`{}`)", short(&list.path));
        }
    } else if let Some(instead) = &listing.instead {
        text = format!("{text} in {instead}");
    } else if sorted.is_empty() && !listing.others.is_empty() {
        let keys: Vec<_> = listing.others.iter().take(8).map(|key| short(key)).collect();
        text = format!("{text} under the keys {}", keys.join(", "));
    }
    if sorted.is_empty() {
        text += ": save the state dict of the model, `torch.save(model.state_dict(), FILE)`";
    }
    let is_nano = |(_, name): &&(&str, &str)| name.split('.').any(|part| NANO_TRM.contains(&part));
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
        let listed = |(name, is_real): &(&str, bool)| Listed {
            name: (*name).to_owned(),
            shape: vec![2, 3],
            not_real: (!is_real).then(|| "whole numbers".to_owned()),
        };
        let tensors = tensors.iter().map(listed).collect();
        Dictionary { path: path.to_owned(), is_list: false, tensors }
    }

    fn chosen(dictionaries: Vec<Dictionary>, part: Option<&str>) -> Result<Part, String> {
        chosen_with_beside(dictionaries, part).map(|chosen| chosen.part)
    }

    fn chosen_with_beside(
        dictionaries: Vec<Dictionary>,
        part: Option<&str>,
    ) -> Result<Chosen, String> {
        let listing = Listing { dictionaries, ..Listing::default() };
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
        assert_eq!(part.not_real, Some((tokens.0.to_owned(), "whole numbers".to_owned())));
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
    fn a_part_of_a_name_is_enough_if_no_other_has_it() {
        let model = |path| dictionary(path, &[("inner.embed_tokens.embedding_weight", true)]);
        let three = || vec![model("model"), model("ema_helper.model"), model("nets.teacher")];
        assert_eq!(chosen(three(), Some("ema_helper")).unwrap().name, "ema_helper.model");
        assert_eq!(chosen(three(), Some("teacher")).unwrap().name, "nets.teacher");
        assert_eq!(chosen(three(), Some("model")).unwrap().name, "model");
        let message = chosen(three(), Some("ema")).unwrap_err();
        assert!(message.contains("no model in a part `ema`, only in model, "), "{message}");
        let two = vec![model("a.model"), model("b.model")];
        let message = chosen(two, Some("model")).unwrap_err();
        assert!(message.ends_with("--part: a.model, b.model"), "{message}");
    }

    #[test]
    fn parts_have_distinct_names() {
        let tokens = "embed_tokens.embedding_weight";
        let names = [format!("model.{tokens}"), format!("model.inner.{tokens}")];
        let both = [(names[0].as_str(), true), (names[1].as_str(), true)];
        let message = chosen(vec![dictionary("", &both)], None).unwrap_err();
        assert!(message.ends_with("--part: model, model.inner"), "{message}");
        let part = chosen(vec![dictionary("", &both)], Some("model.inner")).unwrap();
        assert!(part.wanted.contains_key(&names[1]));
    }

    #[test]
    fn an_average_is_completed_by_the_only_model_beside_it() {
        let averaged = [("embed_tokens.embedding_weight", true), ("lm_head.weight", true)];
        let whole = [averaged[0], ("H_init", true), averaged[1], ("puzzle_emb.weights", true)];
        let model = |path: &str| dictionary(path, &whole);
        let files = |others: &[&str]| {
            let others = others.iter().map(|path| model(path));
            others.chain([dictionary("ema", &averaged)]).collect::<Vec<_>>()
        };
        let beside = chosen_with_beside(files(&["model"]), Some("ema")).unwrap().beside.unwrap();
        assert_eq!(beside.name, "model");
        let wanted: Vec<_> = beside.wanted.into_values().collect();
        assert_eq!(wanted, ["inner.H_init", "inner.puzzle_emb.weights"]);
        // Not by one of two, and not if it lacks nothing.
        assert!(chosen_with_beside(files(&["a", "b"]), Some("ema")).unwrap().beside.is_none());
        assert!(chosen_with_beside(files(&["a"]), Some("a")).unwrap().beside.is_none());
    }

    #[test]
    fn a_list_is_a_model_if_its_shapes_are() {
        let model = || {
            let mut model =
                dictionary("model", &[("embed_tokens.embedding_weight", true), ("H_init", true)]);
            model.tensors.extend(dictionary("", &[("lm_head.weight", true)]).tensors);
            model.tensors[0].shape = vec![5, 4];
            model
        };
        let list = |shapes: &[[usize; 2]]| {
            let tensors = shapes.iter().enumerate().map(|(idx, shape)| Listed {
                name: idx.to_string(),
                shape: shape.to_vec(),
                not_real: None,
            });
            Dictionary {
                path: "ema.shadow_params".to_owned(),
                is_list: true,
                tensors: tensors.collect(),
            }
        };
        let files = vec![model(), list(&[[5, 4], [2, 3]])];
        let Chosen { part, beside } = chosen_with_beside(files, Some("shadow_params")).unwrap();
        assert_eq!(part.wanted["1"], "inner.lm_head.weight");
        assert_eq!(beside.unwrap().wanted["H_init"], "inner.H_init");
        let files = vec![model(), list(&[[2, 3], [5, 4]])];
        let message = chosen(files, Some("ema.shadow_params")).unwrap_err();
        let expected = "f: `ema.shadow_params` is a list of 2 tensors without names, and no model \
                        beside it has as many parameters of the same shapes in the same order";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_parameter_that_is_there_twice_is_noticed() {
        let names = ["inner.lm_head.weight", "module.inner.lm_head.weight"];
        let tokens = ("inner.embed_tokens.embedding_weight", true);
        let tensors = [tokens, (names[0], true), (names[1], true)];
        let part = chosen(vec![dictionary("", &tensors)], None).unwrap();
        assert_eq!(part.twice, Some((names[0].to_owned(), names.map(str::to_owned))));
    }

    #[test]
    fn tensors_are_named_with_their_dictionaries() {
        let nested =
            ["net.encoder", "net.decoder"].map(|path| dictionary(path, &[("weight", true)]));
        let message = chosen(nested.into(), None).unwrap_err();
        let expected = "found `net.decoder.weight`, `net.encoder.weight`";
        assert!(message.ends_with(expected), "{message}");
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
