//! Runs the opcodes of a pickled state dict.
//!
//! Objects live side by side in one list and refer to each other by index, so a
//! memoised object is never copied, nesting needs no stack, and memory is bounded by
//! [`N_MAX`] whatever the pickle says. Text is borrowed from the pickle. Objects
//! that no state dict needs become [`Node::Other`]; code that the pickle names is never
//! run.

use std::collections::HashMap;

use super::error::PickleError;

/// Largest number of objects, and of references among them. A tensor takes about 20.
pub(super) const N_MAX: usize = 1 << 17;

/// Index of an object.
pub(super) type Id = u32;

/// On the stack, the start of a group of objects.
const MARK: Id = Id::MAX;

/// An object of a pickle.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    Int(i64),
    Text(&'a str),
    /// A class or function, without its module.
    Class(&'a str),
    /// `len` items from `start` on.
    Tuple {
        start: u32,
        len: u32,
    },
    Dict,
    /// A call of a function or class.
    Call {
        callable: Id,
        args: Id,
    },
    /// A storage outside the pickle.
    Persistent(Id),
    Other,
}

/// The objects of a pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    /// Items of all tuples.
    items: Vec<Id>,
    /// Entries of all dictionaries: dictionary, key, value.
    entries: Vec<[Id; 3]>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle.
    ///
    /// # Errors
    ///
    /// [`PickleError::Syntax`].
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            stack: Vec::new(),
            memo: HashMap::new(),
            pickle: Pickle { nodes: Vec::new(), items: Vec::new(), entries: Vec::new(), root: 0 },
        };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(true) => return Ok(machine.pickle),
                Ok(false) => {}
                Err(what) => return Err(PickleError::Syntax { at, what }),
            }
        }
    }

    pub(super) fn node(&self, id: Id) -> Node<'a> {
        self.nodes[id as usize]
    }

    /// The items of a tuple. Other objects have none.
    pub(super) fn items(&self, id: Id) -> &[Id] {
        match self.node(id) {
            Node::Tuple { start, len } => &self.items[start as usize..(start + len) as usize],
            _ => &[],
        }
    }

    /// Keys and values of the outermost object, if it is a dictionary.
    pub(super) fn root_entries(&self) -> Option<impl Iterator<Item = (Id, Id)> + '_> {
        let is_dict = matches!(self.node(self.root), Node::Dict);
        let of_root = |[dict, key, value]: &[Id; 3]| (*dict == self.root).then_some((*key, *value));
        is_dict.then(|| self.entries.iter().filter_map(of_root))
    }

    /// An object in a few words.
    pub(super) fn describe(&self, id: Id) -> String {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        match self.node(id) {
            Node::Int(n) => n.to_string(),
            Node::Text(text) => format!("the text {:?}", short(text)),
            Node::Class(name) => format!("the class `{}`", short(name)),
            Node::Tuple { len, .. } => format!("a tuple of length {len}"),
            Node::Dict => "a dictionary".to_owned(),
            Node::Call { .. } => "a call".to_owned(),
            Node::Persistent(_) => "a storage".to_owned(),
            Node::Other => "another object".to_owned(),
        }
    }
}

/// The state of the machine while it runs opcodes.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Id>,
    memo: HashMap<u32, Id>,
    pickle: Pickle<'a>,
}

type Step<T> = Result<T, &'static str>;

impl<'a> Machine<'a> {
    /// Runs one opcode. Returns true after the last one.
    fn step(&mut self) -> Step<bool> {
        let [opcode] = self.array()?;
        match opcode {
            // PROTO.
            0x80 => self.take(1).map(|_| ())?,
            // GLOBAL: module, then name.
            b'c' => {
                self.line()?;
                let name = self.line()?;
                self.push(Node::Class(name))?;
            }
            // BINUNICODE.
            b'X' => {
                let len = u32::from_le_bytes(self.array()?);
                let text = self.take(len as usize)?;
                let text = std::str::from_utf8(text).map_err(|_| "text is not UTF-8")?;
                self.push(Node::Text(text))?;
            }
            // BININT1, BININT2, BININT, LONG1.
            b'K' => {
                let [n] = self.array()?;
                self.push(Node::Int(n.into()))?;
            }
            b'M' => {
                let n = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(n.into()))?;
            }
            b'J' => {
                let n = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(n.into()))?;
            }
            0x8a => {
                let [len] = self.array()?;
                let n = long(self.take(len.into())?)?;
                self.push(Node::Int(n))?;
            }
            // BINFLOAT.
            b'G' => {
                self.take(8)?;
                self.push(Node::Other)?;
            }
            // NONE, NEWTRUE, NEWFALSE, EMPTY_LIST.
            b'N' | 0x88 | 0x89 | b']' => self.push(Node::Other)?,
            // EMPTY_DICT.
            b'}' => self.push(Node::Dict)?,
            // MARK.
            b'(' => self.push_id(MARK)?,
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE.
            b')' => self.tuple(self.stack.len())?,
            0x85..=0x87 => {
                let len = usize::from(opcode - 0x84);
                self.tuple(self.stack.len().checked_sub(len).ok_or(EMPTY)?)?;
            }
            b't' => {
                let start = self.marked()?;
                self.stack.remove(start - 1);
                self.tuple(start - 1)?;
            }
            // BINPUT, LONG_BINPUT.
            b'q' => {
                let [key] = self.array()?;
                self.put(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.put(key)?;
            }
            // BINGET, LONG_BINGET.
            b'h' => {
                let [key] = self.array()?;
                self.get(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.get(key)?;
            }
            // BINPERSID.
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            // REDUCE, NEWOBJ.
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                let made = match self.pickle.node(callable) {
                    Node::Class("OrderedDict" | "defaultdict") => Node::Dict,
                    _ => Node::Call { callable, args },
                };
                self.push(made)?;
            }
            // BUILD: sets attributes, which no tensor needs.
            b'b' => {
                self.pop()?;
                self.last()?;
            }
            // SETITEM, SETITEMS, DICT.
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_item(key, value)?;
            }
            b'u' => {
                let start = self.marked()?;
                self.set_items(start)?;
            }
            b'd' => {
                let start = self.marked()?;
                self.push(Node::Dict)?;
                // Below the mark, as for an existing dictionary.
                let dict = self.pop()?;
                self.stack.insert(start - 1, dict);
                self.set_items(start + 1)?;
            }
            // APPEND, APPENDS: no tensor is in a list.
            b'a' => {
                self.pop()?;
                self.last()?;
            }
            b'e' => {
                let start = self.marked()?;
                self.stack.truncate(start - 1);
                self.last()?;
            }
            // STOP.
            b'.' => {
                self.pickle.root = self.pop()?;
                return Ok(true);
            }
            _ => return Err("an opcode that state dicts do not need"),
        }
        Ok(false)
    }

    /// The next bytes.
    fn take(&mut self, len: usize) -> Step<&'a [u8]> {
        let taken = self.bytes[self.at..].get(..len).ok_or("the pickle ends early")?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    /// The text up to the next line break, which is dropped.
    fn line(&mut self) -> Step<&'a str> {
        let len = self.bytes[self.at..].iter().position(|byte| *byte == b'\n');
        let line = self.take(len.ok_or("the pickle ends early")?)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "text is not UTF-8")
    }

    fn push(&mut self, node: Node<'a>) -> Step<()> {
        push(&mut self.pickle.nodes, node)?;
        self.push_id((self.pickle.nodes.len() - 1) as Id)
    }

    fn push_id(&mut self, id: Id) -> Step<()> {
        push(&mut self.stack, id)
    }

    fn pop(&mut self) -> Step<Id> {
        match self.stack.pop() {
            Some(id) if id != MARK => Ok(id),
            _ => Err(EMPTY),
        }
    }

    fn last(&self) -> Step<Id> {
        match self.stack.last() {
            Some(id) if *id != MARK => Ok(*id),
            _ => Err(EMPTY),
        }
    }

    /// Position on the stack of the first object after the last mark.
    fn marked(&self) -> Step<usize> {
        let mark = self.stack.iter().rposition(|id| *id == MARK);
        Ok(mark.ok_or("no mark on the stack")? + 1)
    }

    fn put(&mut self, key: u32) -> Step<()> {
        let id = self.last()?;
        if self.memo.len() >= N_MAX && !self.memo.contains_key(&key) {
            return Err(TOO_MANY);
        }
        self.memo.insert(key, id);
        Ok(())
    }

    fn get(&mut self, key: u32) -> Step<()> {
        let id = *self.memo.get(&key).ok_or("nothing is memoised under this number")?;
        self.push_id(id)
    }

    /// Replaces the objects on the stack from `start` on by a tuple of them.
    fn tuple(&mut self, start: usize) -> Step<()> {
        let first = self.pickle.items.len();
        let items = self.stack.get(start..).ok_or(EMPTY)?;
        if items.contains(&MARK) {
            return Err(EMPTY);
        }
        if first + items.len() > N_MAX {
            return Err(TOO_MANY);
        }
        self.pickle.items.extend_from_slice(items);
        let len = items.len() as u32;
        self.stack.truncate(start);
        self.push(Node::Tuple { start: first as u32, len })
    }

    fn set_item(&mut self, key: Id, value: Id) -> Step<()> {
        let dict = self.last()?;
        if !matches!(self.pickle.node(dict), Node::Dict) {
            return Err("an item of something other than a dictionary");
        }
        push(&mut self.pickle.entries, [dict, key, value])
    }

    /// Moves keys and values on the stack from `start` on into the dictionary before
    /// their mark.
    fn set_items(&mut self, start: usize) -> Step<()> {
        let items = self.stack.split_off(start);
        self.stack.pop();
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value");
        }
        pairs.iter().try_for_each(|[key, value]| self.set_item(*key, *value))
    }
}

const EMPTY: &str = "an object is missing from the stack";
const TOO_MANY: &str = "more objects than any state dict has";

fn push<T>(list: &mut Vec<T>, item: T) -> Step<()> {
    if list.len() >= N_MAX {
        return Err(TOO_MANY);
    }
    list.push(item);
    Ok(())
}

/// A signed integer, least significant byte first.
fn long(bytes: &[u8]) -> Step<i64> {
    let Some(last) = bytes.last() else { return Ok(0) };
    if bytes.len() > 8 {
        return Err("an integer of more than 64 bits");
    }
    let mut extended = [if *last < 0x80 { 0 } else { 0xff }; 8];
    extended[..bytes.len()].copy_from_slice(bytes);
    Ok(i64::from_le_bytes(extended))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax_error(bytes: &[u8]) -> (usize, &'static str) {
        match Pickle::read(bytes) {
            Err(PickleError::Syntax { at, what }) => (at, what),
            other => panic!("{other:?}"),
        }
    }

    /// The outermost object in a few words.
    fn root(bytes: &[u8]) -> String {
        let pickle = Pickle::read(bytes).unwrap();
        pickle.describe(pickle.root)
    }

    #[test]
    fn objects_are_read() {
        assert_eq!(root(b"\x80\x02K\x07."), "7");
        assert_eq!(root(b"M\x01\x02."), "513");
        assert_eq!(root(b"J\xff\xff\xff\xff."), "-1");
        assert_eq!(root(b"\x8a\x00."), "0");
        assert_eq!(root(b"\x8a\x02\x00\x80."), "-32768");
        assert_eq!(root(b"X\x02\0\0\0ab."), "the text \"ab\"");
        assert_eq!(root(b"cbuiltins\neval\n."), "the class `eval`");
        assert_eq!(root(b"K\x01K\x02(K\x03K\x04t."), "a tuple of length 2");
        assert_eq!(root(b"K\x01q\x05h\x05\x86."), "a tuple of length 2");
        assert_eq!(root(b"cos\nsystem\nX\x02\0\0\0ls\x85R."), "a call");
        assert_eq!(root(b"]K\x01a(K\x02K\x03e."), "another object");
        for dict in [
            &b"}K\x01K\x02s(K\x03K\x04u."[..],
            b"ccollections\nOrderedDict\n)R(K\x01K\x02K\x03K\x04u}b.",
            b"K\x09(K\x01K\x02K\x03K\x04d.",
        ] {
            let pickle = Pickle::read(dict).unwrap();
            let entries: Vec<_> = pickle
                .root_entries()
                .unwrap()
                .map(|(key, value)| (pickle.describe(key), pickle.describe(value)))
                .collect();
            assert_eq!(entries, [("1".into(), "2".into()), ("3".into(), "4".into())]);
        }
    }

    #[test]
    fn a_malformed_pickle_is_rejected_with_the_offset() {
        assert_eq!(syntax_error(b""), (0, "the pickle ends early"));
        assert_eq!(syntax_error(b"K\x01"), (2, "the pickle ends early"));
        assert_eq!(syntax_error(b"K\x01\xff."), (2, "an opcode that state dicts do not need"));
        assert_eq!(syntax_error(b"X\xff\xff\xff\xffabc."), (0, "the pickle ends early"));
        assert_eq!(syntax_error(b"\x8a\xff\x01\x02."), (0, "the pickle ends early"));
        assert_eq!(syntax_error(b"\x8a\x09123456789.").1, "an integer of more than 64 bits");
        assert_eq!(syntax_error(b"X\x01\0\0\0\xff.").1, "text is not UTF-8");
        assert_eq!(syntax_error(b"K\x01\x86.").1, EMPTY);
        assert_eq!(syntax_error(b"(\x85.").1, EMPTY);
        assert_eq!(syntax_error(b"(.").1, EMPTY);
        assert_eq!(syntax_error(b"K\x01t.").1, "no mark on the stack");
        assert_eq!(
            syntax_error(b"K\x01K\x02K\x03s.").1,
            "an item of something other than a dictionary"
        );
        assert_eq!(syntax_error(b"}(K\x01u.").1, "a key without a value");
        assert_eq!(syntax_error(b"h\x01.").1, "nothing is memoised under this number");
    }

    #[test]
    fn pickles_with_too_many_objects_are_rejected() {
        let repeated = |start: &[u8], piece: &[u8]| [start, &piece.repeat(N_MAX + 1)].concat();
        for bomb in [
            // Objects, references, marks, items of tuples, entries of dictionaries.
            repeated(b"", b")"),
            repeated(b"K\x01q\0", b"h\0"),
            repeated(b"", b"("),
            repeated(b"K\x01q\0", b"(h\0h\0h\0h\0t"),
            repeated(b"K\x01q\0}", b"h\0h\0s"),
        ] {
            assert_eq!(syntax_error(&bomb).1, TOO_MANY);
        }
        let keys: Vec<u8> =
            (0..=N_MAX as u32).flat_map(|key| [&b"r"[..], &key.to_le_bytes()].concat()).collect();
        assert_eq!(syntax_error(&[b"K\x01", keys.as_slice()].concat()).1, TOO_MANY);
        // A tuple of twice the one before, which copies would make 2^1000 long.
        let doubled = [b"K\x01".as_slice(), &b"q\0h\0\x86".repeat(1000), b"."].concat();
        assert_eq!(root(&doubled), "a tuple of length 2");
        // Nested a hundred thousand times.
        let nested = [b")".as_slice(), &b"\x85".repeat(100_000), b"."].concat();
        assert_eq!(root(&nested), "a tuple of length 1");
    }
}
