//! Characters and their token ids, saved as a `tokenizer.json`.
//!
//! Every puzzle is written with one character per cell, so a vocabulary is an ordered list
//! of characters, and the id of a character is its index. The file is a `WordLevel`
//! tokenizer that splits text into characters, readable by any program that knows the
//! `tokenizers` format.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

use hrm_base::words;
use hrm_puzzles::picture::Symbol;
use hrm_puzzles::{clipped, text};
use hrm_train::task::PADDING;

use crate::TaskError;

/// The padding character, id 0, unless a vocabulary states another.
pub const PADDING_CHAR: char = '_';

/// An ordered list of distinct characters; the padding character comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    chars: Vec<char>,
    ids: HashMap<char, u32>,
}

impl Vocabulary {
    /// [`PADDING_CHAR`], then `symbols` with ids from 1 in order.
    ///
    /// # Panics
    ///
    /// If a symbol occurs twice or is [`PADDING_CHAR`].
    pub fn new(symbols: impl IntoIterator<Item = char>) -> Self {
        Self::with_padding(PADDING_CHAR, symbols)
    }

    /// `padding` with id 0, then `symbols` with ids from 1 in order. For symbols that may
    /// include [`PADDING_CHAR`].
    ///
    /// # Panics
    ///
    /// If a symbol occurs twice or is `padding`.
    pub fn with_padding(padding: char, symbols: impl IntoIterator<Item = char>) -> Self {
        let mut vocabulary = Self { chars: Vec::new(), ids: HashMap::new() };
        for symbol in std::iter::once(padding).chain(symbols) {
            assert!(vocabulary.push(symbol), "symbol {symbol:?} occurs twice");
        }
        vocabulary
    }

    /// Adds a character with the next id. Returns false if it already has one.
    fn push(&mut self, symbol: char) -> bool {
        let is_new = self.ids.insert(symbol, self.chars.len() as u32).is_none();
        if is_new {
            self.chars.push(symbol);
        }
        is_new
    }

    /// Number of ids, padding included.
    #[allow(clippy::len_without_is_empty)] // Never empty: it always holds padding.
    pub fn len(&self) -> usize {
        self.chars.len()
    }

    /// The id of a character, if it has one.
    pub fn id(&self, symbol: char) -> Option<u32> {
        self.ids.get(&symbol).copied()
    }

    /// The character of an id, if it has one.
    pub fn symbol(&self, id: u32) -> Option<char> {
        self.chars.get(id as usize).copied()
    }

    /// Ids of a text, one per character.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) at `place` for a character without an id.
    pub fn encode(&self, text: &str, place: &str) -> Result<Vec<u32>, TaskError> {
        let id_of = |(idx, symbol)| {
            self.id(symbol).ok_or_else(|| {
                let expected = format!("one of the characters {:?}", self.symbols());
                let found = format!("{symbol:?} at character {}", idx + 1);
                TaskError::malformed(place, expected, found)
            })
        };
        text.chars().enumerate().map(id_of).collect()
    }

    /// The text of ids; an id outside the vocabulary becomes `?`.
    pub fn decode(&self, ids: &[u32]) -> String {
        ids.iter().map(|id| self.symbol(*id).unwrap_or('?')).collect()
    }

    /// The characters of ids for drawing: none for padding, U+FFFD for an id outside the
    /// vocabulary.
    pub fn symbols_of(&self, ids: &[u32]) -> Vec<Symbol> {
        let symbol = |id: &u32| match *id {
            PADDING => None,
            id => Some(self.symbol(id).unwrap_or(char::REPLACEMENT_CHARACTER)),
        };
        ids.iter().map(symbol).collect()
    }

    /// Every character except padding, in order of id.
    pub fn symbols(&self) -> String {
        self.chars[1..].iter().collect()
    }

    /// Writes the vocabulary as `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Tokenizer`] with the error of the `tokenizers` library.
    pub fn save(&self, path: &Path) -> Result<(), TaskError> {
        let failed = |source| TaskError::Tokenizer { path: path.to_owned(), source };
        self.tokenizer().and_then(|tokenizer| tokenizer.save(path, true)).map_err(failed)
    }

    /// Reads a vocabulary that [`save`](Self::save) wrote. Only the tokens are read; the
    /// rest of the file tells other programs how to split text.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read) if the file cannot be read, [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed)
    /// if it is not a tokenizer, or its tokens are not single characters with
    /// consecutive ids.
    pub fn load(path: &Path) -> Result<Self, TaskError> {
        /// Enough for all characters there are.
        const N_BYTES_MAX: u64 = 64 << 20;
        let text = text::read_unpacked(path, N_BYTES_MAX)?;
        // The reader of the tokenizers library panics on some malformed files.
        let file: TokenizerFile = serde_json::from_str(&text).map_err(|err| {
            TaskError::malformed(path.display().to_string(), "a tokenizer", words::of_json(&err))
        })?;
        let mut tokens: Vec<_> = file.model.vocab.into_iter().collect();
        tokens.sort_by_key(|(_, id)| *id);

        let place = path.display().to_string();
        let mut vocabulary = Self { chars: Vec::new(), ids: HashMap::new() };
        for (want, (token, id)) in tokens.iter().enumerate() {
            let mut in_token = token.chars();
            match (in_token.next(), in_token.next()) {
                (Some(symbol), None) if *id as usize == want && vocabulary.push(symbol) => {}
                _ => {
                    let expected = format!("a single character with id {want}");
                    let found = format!("{:?}: {id}", clipped(token));
                    return Err(TaskError::malformed(place, expected, found));
                }
            }
        }
        if vocabulary.chars.is_empty() {
            return Err(TaskError::malformed(place, "at least one token, the padding", "none"));
        }
        Ok(vocabulary)
    }

    /// The vocabulary as a tokenizer.
    fn tokenizer(&self) -> tokenizers::Result<Tokenizer> {
        let vocab = self.chars.iter().enumerate().map(|(id, c)| (c.to_string(), id as u32));
        let model = WordLevel::builder().vocab(vocab.collect()).build()?;
        let every_char = SplitPattern::Regex("(?s).".to_owned());
        let split = Split::new(every_char, SplitDelimiterBehavior::Isolated, false)?;
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(split));
        tokenizer.with_decoder(Some(Fuse::new()));
        Ok(tokenizer)
    }
}

/// The part of a tokenizer file that is read.
#[derive(Deserialize)]
struct TokenizerFile {
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct TokenizerModel {
    vocab: BTreeMap<String, u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_saved_tokenizer_agrees_with_the_vocabulary() {
        let vocabulary = Vocabulary::new("# SGo".chars());
        let text = "S# oo#G";
        let tokenizer = vocabulary.tokenizer().unwrap();
        let encoding = tokenizer.encode(text, false).unwrap();
        assert_eq!(encoding.get_ids(), vocabulary.encode(text, "test").unwrap());
        assert_eq!(tokenizer.decode(encoding.get_ids(), false).unwrap(), text);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        vocabulary.save(&path).unwrap();
        assert_eq!(Vocabulary::load(&path).unwrap(), vocabulary);
    }

    #[test]
    fn an_unknown_character_is_reported_with_its_position() {
        let err = Vocabulary::new(".12".chars()).encode("1x", "argument").unwrap_err();
        assert_eq!(
            err.to_string(),
            "argument: expected one of the characters \".12\", found 'x' at character 2"
        );
    }
}
