//! Names of the parameters, as in the published checkpoints.

use hrm_blocks::Block;

/// Token embeddings, `[vocab, D]`.
pub const TOKENS: &str = "inner.embed_tokens.embedding_weight";
/// Learned position embeddings, `[P + S, D]`.
pub const POSITIONS: &str = "inner.embed_pos.embedding_weight";
/// Puzzle embeddings, `[ids, E]`.
pub const PUZZLES: &str = "inner.puzzle_emb.weights";
/// Output projection of the cells, `[vocab, D]`.
pub const LM_HEAD: &str = "inner.lm_head.weight";
/// Projection of the halting head, `[2, D]`: halt, then continue.
pub const Q_WEIGHT: &str = "inner.q_head.weight";
/// Bias of the halting head, `[2]`.
pub const Q_BIAS: &str = "inner.q_head.bias";
/// Initial slow state, `[D]`.
pub const H_INIT: &str = "inner.H_init";
/// Initial fast state, `[D]`.
pub const L_INIT: &str = "inner.L_init";
/// Prefix of the slow (H) module.
pub const H_MODULE: &str = "inner.H_level";
/// Prefix of the fast (L) module.
pub const L_MODULE: &str = "inner.L_level";

/// Components that wrappers insert anywhere in a name.
const WRAPPERS: [&str; 5] = [
    "_orig_mod",
    "module",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// The components of a name without those that wrappers insert.
pub(crate) fn without_wrappers(name: &str) -> Vec<&str> {
    name.split('.').filter(|part| !WRAPPERS.contains(part)).collect()
}

/// Prefix of one block of a module.
pub fn layer(module: &str, layer: usize) -> String {
    format!("{module}.layers.{layer}")
}

/// Whether a model can have a parameter of this name.
pub(crate) fn is_parameter(name: &str) -> bool {
    let outside =
        [TOKENS, POSITIONS, PUZZLES, LM_HEAD, Q_WEIGHT, Q_BIAS, H_INIT, L_INIT].contains(&name);
    outside || is_parameter_of_block(name)
}

/// Whether the published code keeps a parameter as a buffer, which averages of parameters
/// lack.
pub(crate) fn is_buffer(name: &str) -> bool {
    [H_INIT, L_INIT, PUZZLES].contains(&name)
}

fn is_parameter_of_block(name: &str) -> bool {
    let below = [H_MODULE, L_MODULE].iter().find_map(|module| name.strip_prefix(module));
    let layer = below.and_then(|name| name.strip_prefix(".layers."));
    layer
        .and_then(|name| name.split_once('.'))
        .is_some_and(|(layer, name)| layer.parse::<u16>().is_ok() && Block::PARAMS.contains(&name))
}

/// Whether a parameter belongs to a block of a module.
pub fn is_in_module(name: &str) -> bool {
    name.starts_with(H_MODULE) || name.starts_with(L_MODULE)
}
