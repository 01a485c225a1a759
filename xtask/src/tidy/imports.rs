//! Which source files of a crate import which others.
//!
//! A file imports another one if it names an item that the other one defines, in a
//! `use` declaration or by a path in its code. Names are resolved through modules and
//! re-exports to the file of the definition. Declaring a child module, re-exporting
//! its items, and code for tests do not count.
//!
//! Only names that can be resolved without types are found. A trait, for example,
//! counts by its `use` declaration, not by calls of its methods.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItem, Item, UseTree, Visibility};

/// One file imports an item of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// The path in the importing file.
    pub(crate) name: String,
}

/// All imports between the files of the crate whose root is the file `root`.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub(crate) fn imports(root: &Path) -> anyhow::Result<BTreeSet<Import>> {
    let mut tree = Tree::default();
    let folder = root.parent().unwrap_or(Path::new(""));
    tree.read(root, folder, None)?;
    Ok(tree.imports())
}

/// The modules of a crate. The first one is its root.
#[derive(Default)]
struct Tree {
    modules: Vec<Module>,
    /// Macros with `#[macro_export]`, which belong to the root, and their modules.
    exported_macros: BTreeMap<String, usize>,
}

/// The names in one module. An inline module has the file of its parent.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names of the items defined here.
    items: BTreeSet<String>,
    /// Names from `use` declarations.
    uses: Vec<Use>,
    /// Other paths in the code.
    paths: BTreeSet<Vec<String>>,
}

/// One name of a `use` declaration.
struct Use {
    /// The name in this module; `None` for `*`.
    name: Option<String>,
    path: Vec<String>,
    is_public: bool,
}

/// What a path refers to.
#[derive(Clone, Copy)]
enum Target {
    /// A module itself.
    Module(usize),
    /// An item that this module defines.
    ItemOf(usize),
}

/// Longest chain of re-exports that is followed: a circle of them has no end.
const DEPTH_MAX: usize = 16;

impl Tree {
    /// Reads a file and the files of its child modules, which are in `folder`.
    fn read(&mut self, file: &Path, folder: &Path, parent: Option<usize>) -> anyhow::Result<usize> {
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        let parsed =
            syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        self.add(file, folder, parent, &parsed.items)
    }

    fn add(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        items: &[Item],
    ) -> anyhow::Result<usize> {
        let idx = self.modules.len();
        let (children, file) = (BTreeMap::new(), file.to_owned());
        let (items_here, uses, paths) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        self.modules.push(Module { file, parent, children, items: items_here, uses, paths });
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            if let Item::Mod(child) = item {
                let name = child.ident.to_string();
                let below = folder.join(&name);
                let child = match &child.content {
                    Some((_, items)) => {
                        let file = self.modules[idx].file.clone();
                        self.add(&file, &below, Some(idx), items)?
                    }
                    None => {
                        let (plain, own) = (below.with_extension("rs"), below.join("mod.rs"));
                        let file = if plain.is_file() { plain } else { own };
                        self.read(&file, &below, Some(idx))?
                    }
                };
                self.modules[idx].children.insert(name, child);
                continue;
            }
            if let Item::Macro(item) = item
                && let Some(name) = &item.ident
                && item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
            {
                self.exported_macros.insert(name.to_string(), idx);
            }
            self.modules[idx].items.extend(name_of(item));
            Names { module: &mut self.modules[idx] }.visit_item(item);
        }
        Ok(idx)
    }

    fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (idx, module) in self.modules.iter().enumerate() {
            let mut add = |path: &[String], target: Option<usize>| {
                let Some(target) = target.map(|target| &self.modules[target].file) else { return };
                if *target != module.file {
                    let (from, to, name) = (module.file.clone(), target.clone(), path.join("::"));
                    imports.insert(Import { from, to, name });
                }
            };
            for Use { name, path, is_public } in &module.uses {
                let target = match (self.resolve(idx, path, 0), name) {
                    (Some(Target::ItemOf(module)), _) => Some(module),
                    // All items of the module.
                    (Some(Target::Module(module)), None) => Some(module),
                    // The name of a module is not yet the use of an item.
                    (Some(Target::Module(_)), Some(_)) | (None, _) => None,
                };
                // A parent may re-export the items of its children.
                add(path, target.filter(|target| !is_public || !self.is_below(*target, idx)));
            }
            for path in &module.paths {
                if let Some(Target::ItemOf(target)) = self.resolve(idx, path, 0) {
                    add(path, Some(target));
                }
            }
        }
        imports
    }

    /// Whether `module` is below the file that `ancestor` is in.
    fn is_below(&self, module: usize, ancestor: usize) -> bool {
        let file = &self.modules[ancestor].file;
        let parents = std::iter::successors(Some(module), |idx| self.modules[*idx].parent);
        parents.skip(1).any(|parent| self.modules[parent].file == *file)
    }

    /// Resolves `path` in `module`; `None` if it leads to another crate.
    fn resolve(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent?),
            name => self.lookup(module, name, depth)?,
        };
        for name in rest {
            target = match (target, name.as_str()) {
                // A variant or an associated item.
                (Target::ItemOf(_), _) => return Some(target),
                (Target::Module(_), "self") => target,
                (Target::Module(idx), "super") => Target::Module(self.modules[idx].parent?),
                // An item that a macro defines, or that the module re-exports from
                // another crate, counts as an item of the module.
                (Target::Module(idx), name) => {
                    self.lookup(idx, name, depth).unwrap_or(Target::ItemOf(idx))
                }
            };
        }
        Some(target)
    }

    /// Resolves `name` in a module; `None` if it does not belong to the crate.
    fn lookup(&self, module: usize, name: &str, depth: usize) -> Option<Target> {
        let Module { children, items, uses, .. } = &self.modules[module];
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(child) = children.get(name) {
            return Some(Target::Module(*child));
        }
        if items.contains(name) {
            return Some(Target::ItemOf(module));
        }
        if let (0, Some(definition)) = (module, self.exported_macros.get(name)) {
            return Some(Target::ItemOf(*definition));
        }
        let named = uses.iter().find(|used| used.name.as_deref() == Some(name));
        if let Some(used) = named {
            return self.resolve(module, &used.path, depth + 1);
        }
        let globs = uses.iter().filter(|used| used.name.is_none());
        globs.filter_map(|used| self.resolve(module, &used.path, depth + 1)).find_map(|target| {
            match target {
                Target::Module(idx) if idx != module => self.lookup(idx, name, depth + 1),
                _ => None,
            }
        })
    }
}

/// Collects names from the items of a module.
struct Names<'a> {
    module: &'a mut Module,
}

impl Names<'_> {
    fn add_use(&mut self, tree: &UseTree, prefix: &[String], is_public: bool) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        let (name, path) = match tree {
            UseTree::Path(path) => return self.add_use(&path.tree, &with(&path.ident), is_public),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_use(tree, prefix, is_public));
            }
            // `use a::{self}` brings in `a`.
            UseTree::Name(name) if name.ident == "self" => {
                (prefix.last().cloned(), prefix.to_vec())
            }
            UseTree::Name(name) => (Some(name.ident.to_string()), with(&name.ident)),
            UseTree::Rename(rename) => (Some(rename.rename.to_string()), with(&rename.ident)),
            UseTree::Glob(_) => (None, prefix.to_vec()),
        };
        self.module.uses.push(Use { name, path, is_public });
    }

    /// Adds the paths among the tokens of a macro call.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut n_colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if n_colons != 2 {
                        self.add_path(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    n_colons = 0;
                }
                TokenTree::Punct(colon) if colon.as_char() == ':' => n_colons += 1,
                token => {
                    self.add_path(std::mem::take(&mut path));
                    n_colons = 0;
                    if let TokenTree::Group(group) = token {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add_path(path);
    }

    /// Adds a path, unless it may be a local variable.
    fn add_path(&mut self, path: Vec<String>) {
        let is_type = |name: &String| name.starts_with(char::is_uppercase);
        if path.len() > 1 || path.first().is_some_and(is_type) {
            self.module.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let is_for_tests = matches!(item, ImplItem::Fn(item) if is_for_tests(&item.attrs));
        if !is_for_tests {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        if item.leading_colon.is_none() {
            self.add_use(&item.tree, &[], is_public);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.add_path(path.segments.iter().map(|part| part.ident.to_string()).collect());
        }
        // Generic arguments contain paths, too.
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(name) = function.path.get_ident()
        {
            self.module.paths.insert(vec![name.to_string()]);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.add_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Whether an item is compiled for tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name of an item.
fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
