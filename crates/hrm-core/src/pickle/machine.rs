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

/// Classes of objects that are nothing but their attributes, as settings often are.
const GROUPS: [&str; 2] = ["Namespace", "SimpleNamespace"];

/// On the stack, the start of a group of objects.
const MARK: Id = Id::MAX;

/// An object of a pickle.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    None,
    Flag(bool),
    Int(i64),
    Real(f64),
    Text(&'a str),
    /// A class or function, without its module.
    Class(&'a str),
    /// `len` items from `start` on.
    Tuple {
        start: u32,
        len: u32,
    },
    Dict,
    List,
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
    /// Entries of all dictionaries: dictionary, key, value. Those of one dictionary are side by
    /// side and in order.
    entries: Vec<[Id; 3]>,
    /// Items of all lists that may hold tensors: list, item. Those of one list are side by side
    /// and in order.
    listed: Vec<[Id; 2]>,
    /// Items of all lists that hold none: list, item.
    plain: Vec<[Id; 2]>,
    /// Groups of settings, and the dictionaries of their attributes.
    attributes: Vec<[Id; 2]>,
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
            pickle: Pickle {
                nodes: Vec::new(),
                items: Vec::new(),
                entries: Vec::new(),
                listed: Vec::new(),
                plain: Vec::new(),
                attributes: Vec::new(),
                root: 0,
            },
        };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(true) => {
                    let mut pickle = machine.pickle;
                    pickle.entries.sort_by_key(|[dict, ..]| *dict);
                    pickle.listed.sort_by_key(|[list, _]| *list);
                    return Ok(pickle);
                }
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

    /// The outermost object.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// The entries of a dictionary: itself, key, value. Other objects have none.
    pub(super) fn entries(&self, dict: Id) -> &[[Id; 3]] {
        let start = self.entries.partition_point(|[other, ..]| *other < dict);
        let own = &self.entries[start..];
        &own[..own.partition_point(|[other, ..]| *other == dict)]
    }

    /// The items of a list that may hold tensors: the list, item. Other objects have none.
    pub(super) fn listed(&self, list: Id) -> &[[Id; 2]] {
        let start = self.listed.partition_point(|[other, _]| *other < list);
        let own = &self.listed[start..];
        &own[..own.partition_point(|[other, _]| *other == list)]
    }

    /// The items of one list that neither are tensors nor hold any, in order.
    pub(super) fn plain_items(&self, list: Id) -> impl Iterator<Item = Id> {
        self.plain.iter().filter(move |[other, _]| *other == list).map(|[_, item]| *item)
    }

    /// The dictionary of the attributes of an object that is a group of settings.
    pub(super) fn attributes(&self, id: Id) -> Option<Id> {
        self.attributes.iter().find(|[object, _]| *object == id).map(|[_, attributes]| *attributes)
    }

    /// The class of an object that is an instance of one.
    pub(super) fn class(&self, id: Id) -> Option<&'a str> {
        let Node::Call { callable, args } = self.node(id) else { return None };
        match (self.node(callable), self.items(args)) {
            // A way to make instances: the class is its first argument.
            (Node::Class("_reconstructor" | "__newobj__"), [class, ..]) => {
                match self.node(*class) {
                    Node::Class(class) => Some(class),
                    _ => None,
                }
            }
            (Node::Class(class), _) => Some(class),
            _ => None,
        }
    }

    /// An object in a few words.
    pub(super) fn describe(&self, id: Id) -> String {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        match self.node(id) {
            Node::None => "None".to_owned(),
            Node::Flag(true) => "True".to_owned(),
            Node::Flag(false) => "False".to_owned(),
            Node::Int(n) => n.to_string(),
            Node::Real(n) => n.to_string(),
            Node::Text(text) => format!("the text {:?}", short(text)),
            Node::Class(name) => format!("the class `{}`", short(name)),
            Node::Tuple { len, .. } => format!("a tuple of length {len}"),
            Node::Dict => "a dictionary".to_owned(),
            Node::List => "a list".to_owned(),
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
            // PROTO, FRAME.
            0x80 => self.take(1).map(|_| ())?,
            0x95 => self.take(8).map(|_| ())?,
            // GLOBAL: module, then name.
            b'c' => {
                self.line()?;
                let name = self.line()?;
                self.push(Node::Class(name))?;
            }
            // STACK_GLOBAL.
            0x93 => {
                let (name, _module) = (self.pop()?, self.pop()?);
                let Node::Text(name) = self.pickle.node(name) else {
                    return Err("the name of a class is not text");
                };
                self.push(Node::Class(name))?;
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8.
            b'X' => {
                let len = self.length::<4>()?;
                self.text(len)?;
            }
            0x8c => {
                let len = self.length::<1>()?;
                self.text(len)?;
            }
            0x8d => {
                let len = self.length::<8>()?;
                self.text(len)?;
            }
            // SHORT_BINSTRING, SHORT_BINBYTES: text of Python 2, or bytes.
            b'U' | b'C' => {
                let len = self.length::<1>()?;
                self.bytes(len)?;
            }
            // BINSTRING, BINBYTES, BINBYTES8, BYTEARRAY8.
            b'T' | b'B' => {
                let len = self.length::<4>()?;
                self.bytes(len)?;
            }
            0x8e | 0x96 => {
                let len = self.length::<8>()?;
                self.bytes(len)?;
            }
            // BININT1, BININT2, BININT, LONG1, LONG4.
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
                let n = long(self.take(len.into())?);
                self.push(n)?;
            }
            0x8b => {
                let len = self.length::<4>()?;
                let n = long(self.take(len)?);
                self.push(n)?;
            }
            // BINFLOAT.
            b'G' => {
                let n = f64::from_be_bytes(self.array()?);
                self.push(Node::Real(n))?;
            }
            // NONE, NEWTRUE, NEWFALSE, EMPTY_SET.
            b'N' => self.push(Node::None)?,
            0x88 | 0x89 => self.push(Node::Flag(opcode == 0x88))?,
            0x8f => self.push(Node::Other)?,
            // EMPTY_LIST.
            b']' => self.push(Node::List)?,
            // EMPTY_DICT.
            b'}' => self.push(Node::Dict)?,
            // MARK, POP, POP_MARK, DUP.
            b'(' => self.push_id(MARK)?,
            b'0' => self.stack.pop().map(|_| ()).ok_or(EMPTY)?,
            b'1' => {
                let start = self.marked()?;
                self.stack.truncate(start - 1);
            }
            b'2' => {
                let id = self.last()?;
                self.push_id(id)?;
            }
            // LIST, FROZENSET.
            b'l' => {
                let start = self.marked()?;
                let items = self.stack.split_off(start);
                self.stack.pop();
                self.push(Node::List)?;
                self.append(&items)?;
            }
            0x91 => {
                let start = self.marked()?;
                self.stack.truncate(start - 1);
                self.push(Node::Other)?;
            }
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
            // MEMOIZE.
            0x94 => {
                let key = u32::try_from(self.memo.len()).map_err(|_| TOO_MANY)?;
                self.put(key)?;
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
            // NEWOBJ_EX.
            0x92 => {
                let _named = self.pop()?;
                let (args, callable) = (self.pop()?, self.pop()?);
                self.push(Node::Call { callable, args })?;
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
                let state = self.pop()?;
                let object = self.last()?;
                let is_group =
                    matches!(self.pickle.class(object), Some(class) if GROUPS.contains(&class));
                if is_group && matches!(self.pickle.node(state), Node::Dict) {
                    push(&mut self.pickle.attributes, [object, state])?;
                }
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
            // APPEND, APPENDS, ADDITEMS: no tensor is in a set.
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let start = self.marked()?;
                let items = self.stack.split_off(start);
                self.stack.pop();
                self.append(&items)?;
            }
            0x90 => {
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

    /// A length of `WIDTH` bytes.
    fn length<const WIDTH: usize>(&mut self) -> Step<usize> {
        let mut bytes = [0; 8];
        bytes[..WIDTH].copy_from_slice(&self.array::<WIDTH>()?);
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| "the pickle ends early")
    }

    /// Pushes a text of `len` bytes.
    fn text(&mut self, len: usize) -> Step<()> {
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| "text is not UTF-8")?;
        self.push(Node::Text(text))
    }

    /// Pushes `len` bytes, which may be text.
    fn bytes(&mut self, len: usize) -> Step<()> {
        let text = std::str::from_utf8(self.take(len)?);
        self.push(text.map_or(Node::Other, Node::Text))
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
        match self.pickle.node(dict) {
            // An instance may be of a class of dictionaries.
            Node::Dict | Node::Call { .. } => push(&mut self.pickle.entries, [dict, key, value]),
            Node::Other => Ok(()),
            _ => Err("an item of something other than a dictionary"),
        }
    }

    /// Adds items to the list on the stack. What is more than any state dict has is left out.
    fn append(&mut self, items: &[Id]) -> Step<()> {
        let list = self.last()?;
        if !matches!(self.pickle.node(list), Node::List) {
            return Ok(());
        }
        for item in items {
            if *item == MARK {
                continue;
            }
            let items = match self.pickle.node(*item) {
                Node::Dict | Node::List | Node::Call { .. } => &mut self.pickle.listed,
                _ => &mut self.pickle.plain,
            };
            if items.len() < N_MAX {
                items.push([list, *item]);
            }
        }
        Ok(())
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

/// A signed integer, least significant byte first. Larger ones, such as the states of
/// random generators, are of no use here.
fn long(bytes: &[u8]) -> Node<'static> {
    let Some(last) = bytes.last() else { return Node::Int(0) };
    if bytes.len() > 8 {
        return Node::Other;
    }
    let mut extended = [if *last < 0x80 { 0 } else { 0xff }; 8];
    extended[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(extended))
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
        assert_eq!(root(b"\x8a\x09123456789."), "another object");
        assert_eq!(root(b"\x8b\x02\0\0\0\x00\x80."), "-32768");
        assert_eq!(root(b"X\x02\0\0\0ab."), "the text \"ab\"");
        // The opcodes of later protocols.
        assert_eq!(root(b"\x80\x04\x95\0\0\0\0\0\0\0\0\x8c\x02ab\x94."), "the text \"ab\"");
        assert_eq!(root(b"\x8d\x02\0\0\0\0\0\0\0ab."), "the text \"ab\"");
        assert_eq!(root(b"C\x02\xff\xfe."), "another object");
        assert_eq!(root(b"\x8c\x01m\x8c\x01f\x93."), "the class `f`");
        assert_eq!(root(b"K\x05\x94K\x060h\x00\x86."), "a tuple of length 2");
        assert_eq!(root(b"\x8f(K\x01\x90."), "another object");
        assert_eq!(root(b"(K\x01K\x02\x91."), "another object");
        assert_eq!(root(b"cbuiltins\neval\n."), "the class `eval`");
        assert_eq!(root(b"K\x01K\x02(K\x03K\x04t."), "a tuple of length 2");
        assert_eq!(root(b"K\x01q\x05h\x05\x86."), "a tuple of length 2");
        assert_eq!(root(b"cos\nsystem\nX\x02\0\0\0ls\x85R."), "a call");
        assert_eq!(root(b"]K\x01a(K\x02K\x03e."), "a list");
        // Lists hold what may hold tensors.
        for list in [&b"]}a(K\x01}}e."[..], b"(}K\x01}}l."] {
            let pickle = Pickle::read(list).unwrap();
            assert_eq!(pickle.describe(pickle.root), "a list");
            let items: Vec<_> =
                pickle.listed(pickle.root).iter().map(|[_, item]| pickle.describe(*item)).collect();
            assert_eq!(items, ["a dictionary"; 3]);
        }
        for dict in [
            &b"}K\x01K\x02s(K\x03K\x04u."[..],
            b"ccollections\nOrderedDict\n)R(K\x01K\x02K\x03K\x04u}b.",
            b"K\x09(K\x01K\x02K\x03K\x04d.",
        ] {
            let pickle = Pickle::read(dict).unwrap();
            assert!(matches!(pickle.node(pickle.root), Node::Dict));
            let entries: Vec<_> = pickle
                .entries(pickle.root)
                .iter()
                .map(|[_, key, value]| (pickle.describe(*key), pickle.describe(*value)))
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
