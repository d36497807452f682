//! How the sources are laid out: no circle between files or between the top modules of a crate, no file that is too long, and
//! nothing but declarations in `lib.rs` and `mod.rs`.
//!
//! Which file uses which is read out of the sources: every path that begins with `crate`, `super` or `self`, followed through
//! re-exports to the file that defines the name. Code of tests may use anything.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

const LONGEST: usize = 500;
const MEDIAN: usize = 200;

/// A module's path in its crate; the root's is empty.
type ModulePath = Vec<String>;
type Graph = BTreeMap<String, BTreeSet<String>>;

struct Module {
    file: PathBuf,
    syntax: syn::File,
    /// Names that it re-exports and what they stand for; `*` for all of a module.
    exports: Vec<(String, Vec<String>)>,
    defines: BTreeSet<String>,
}

/// The modules of a package, and its name.
struct Package {
    name: String,
    modules: BTreeMap<ModulePath, Module>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The workspace's packages: folders with a `Cargo.toml`, at the top or one below.
fn packages() -> Vec<Package> {
    let children = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().map(|e| e.unwrap().path());
        entries.filter(|p| p.join("Cargo.toml").exists()).collect::<Vec<_>>()
    };
    let top = children(&root());
    let nested = top.iter().flat_map(|p| children(p));
    top.iter().cloned().chain(nested).map(|folder| Package::read(&folder)).collect()
}

impl Package {
    fn read(folder: &Path) -> Package {
        let (name, source) = (folder.strip_prefix(root()).unwrap().display().to_string(), folder.join("src"));
        let mut modules = BTreeMap::new();
        for file in rust_files(&source) {
            let inner = file.strip_prefix(&source).unwrap().with_extension("");
            let mut path: ModulePath = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if ["mod", "lib"].contains(&path.last().unwrap().as_str()) {
                path.pop();
            }
            let syntax = syn::parse_file(&std::fs::read_to_string(&file).unwrap()).unwrap();
            modules.insert(path, Module::new(file, syntax));
        }
        Package { name, modules }
    }

    fn child(&self, of: &[String], name: &str) -> Option<ModulePath> {
        let child = [of, &[name.to_owned()]].concat();
        self.modules.contains_key(&child).then_some(child)
    }

    /// The module that a path in `from` leads to; `None`: it leads out of the package.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => from.split_last()?.1.to_vec(),
            // The first name of a re-export may be a child's.
            name => self.child(from, name)?,
        };
        for name in rest {
            if name == "super" {
                at.pop()?;
            } else if let Some(child) = self.child(&at, name) {
                at = child;
            } else {
                let module = self.modules.get(&at)?;
                let exported = module.exports.iter().filter(|(n, _)| n == name || n == "*");
                let mut targets = exported.filter_map(|(n, path)| {
                    let target = (depth < 8).then(|| self.resolve(&at, path, depth + 1))??;
                    (n != "*" || self.modules.get(&target)?.defines.contains(name)).then_some(target)
                });
                return targets.next().or_else(|| Some(at.clone()));
            }
        }
        Some(at)
    }

    /// Which file uses which, and which top module which.
    fn graphs(&self) -> [Graph; 2] {
        let mut graphs = [Graph::new(), Graph::new()];
        for (path, module) in &self.modules {
            let mut uses = Uses { inline: 0, paths: Vec::new(), declares: is_declaring(&module.file) };
            uses.visit_file(&module.syntax);
            for target in uses.paths.iter().filter_map(|used| self.resolve(path, used, 0)) {
                let names = |path: &ModulePath| [path.join("::"), path.first().cloned().unwrap_or_default()];
                for ((graph, from), to) in graphs.iter_mut().zip(names(path)).zip(names(&target)) {
                    if from != to {
                        graph.entry(from).or_default().insert(to);
                    }
                }
            }
        }
        graphs
    }
}

impl Module {
    fn new(file: PathBuf, syntax: syn::File) -> Module {
        let mut exports = Vec::new();
        for item in &syntax.items {
            if let syn::Item::Use(item) = item
                && !matches!(item.vis, syn::Visibility::Inherited)
            {
                flatten(&item.tree, &mut Vec::new(), &mut |name, path| exports.push((name.to_owned(), path.to_vec())));
            }
        }
        let defines = syntax.items.iter().filter_map(defined).collect();
        Module { file, syntax, exports, defines }
    }
}

fn defined(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn is_declaring(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "mod.rs" || name == "lib.rs")
}

/// Calls with every name that a use brings in, and its path.
fn flatten(tree: &syn::UseTree, before: &mut Vec<String>, found: &mut dyn FnMut(&str, &[String])) {
    let mut with = |ident: &syn::Ident, name: &str| {
        before.push(ident.to_string());
        found(name, before);
        before.pop();
    };
    match tree {
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        syn::UseTree::Name(name) if name.ident == "self" => found(&before.last().cloned().unwrap_or_default(), before),
        syn::UseTree::Name(name) => with(&name.ident, &name.ident.to_string()),
        syn::UseTree::Rename(rename) => with(&rename.ident, &rename.rename.to_string()),
        syn::UseTree::Glob(_) => found("*", before),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

/// The paths in a file that lead into its own package.
struct Uses {
    /// How deep in inline modules.
    inline: usize,
    paths: Vec<Vec<String>>,
    /// Its re-exports are declarations.
    declares: bool,
}

impl Uses {
    fn add(&mut self, path: &[String]) {
        let supers = path.iter().take_while(|part| *part == "super").count();
        match path.first().map(String::as_str) {
            Some("crate") => self.paths.push(path.to_vec()),
            // Of an inline module the file itself is the parent.
            Some("super") if supers > self.inline => self.paths.push(path[self.inline..].to_vec()),
            Some("self") if self.inline == 0 => self.paths.push(path.to_vec()),
            _ => {}
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let is_test = |meta: &syn::Meta| match meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(|attribute| is_test(&attribute.meta))
}

impl Visit<'_> for Uses {
    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        if !is_test(&item.attrs) && item.content.is_some() {
            self.inline += 1;
            visit::visit_item_mod(self, item);
            self.inline -= 1;
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if is_test(&item.attrs) || (self.declares && !matches!(item.vis, syn::Visibility::Inherited)) {
            return;
        }
        let mut paths = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut |_, path| paths.push(path.to_vec()));
        paths.iter().for_each(|path| self.add(path));
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&parts);
        visit::visit_path(self, path);
    }
}

/// The sets of nodes that reach one another, each of more than one.
fn circles(graph: &Graph) -> BTreeSet<BTreeSet<String>> {
    let reach = |from: &String| {
        let (mut reached, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(at) = left.pop() {
            for next in graph.get(at).into_iter().flatten() {
                if reached.insert(next.clone()) {
                    left.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|node| (node, reach(node))).collect();
    let mutual = |node: &String| {
        let others = reached[node].iter().filter(|other| reached.get(other).is_some_and(|r| r.contains(node)));
        others.cloned().collect::<BTreeSet<String>>()
    };
    graph.keys().map(mutual).filter(|circle| circle.len() > 1).collect()
}

#[test]
fn nothing_depends_on_what_depends_on_it() {
    let mut found = BTreeSet::new();
    for package in packages() {
        for circle in package.graphs().iter().flat_map(circles) {
            found.insert(format!("{}: {}", package.name, Vec::from_iter(circle).join(", ")));
        }
    }
    assert!(found.is_empty(), "circles:\n{}", Vec::from_iter(found).join("\n"));
}

#[test]
fn modules_are_declared_apart_from_logic_and_files_are_short() {
    let (mut found, mut lengths) = (Vec::new(), Vec::new());
    for module in packages().into_iter().flat_map(|package| package.modules.into_values()) {
        let name = module.file.strip_prefix(root()).unwrap().display().to_string();
        let length = std::fs::read_to_string(&module.file).unwrap().lines().count();
        if length > LONGEST {
            found.push(format!("{name} has {length} lines, more than {LONGEST}"));
        }
        lengths.push(length);
        let is_logic = |item: &syn::Item| match item {
            syn::Item::Fn(_) | syn::Item::Impl(_) | syn::Item::Macro(_) => true,
            syn::Item::Mod(inline) => inline.content.is_some(),
            _ => false,
        };
        if is_declaring(&module.file) && module.syntax.items.iter().any(is_logic) {
            found.push(format!("{name} has logic: it goes into a file of its own"));
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(found.is_empty() && median < MEDIAN, "median {median}\n{}", found.join("\n"));
}

/// Tokio's timers and the host's clocks are for what waits for the host; what waits for a guest, or times it, lives by
/// `crate::time`, which may be the guest's. These files of `guests` wait for the host.
const REAL_TIME: &[&str] = &[
    "accel.rs",
    "docker/api.rs",
    "guest/migration.rs",
    "guest/prepared.rs",
    "guest_time/pacer.rs",
    "guest_time/shared.rs",
    "host/container/run.rs",
    "host/container/sweep.rs",
    "qemu/tsc.rs",
    "reality/control.rs",
    "reality/pressure.rs",
    "registers.rs",
    "time/wait.rs",
];

#[test]
fn what_waits_for_a_guest_lives_by_its_clock() {
    let hosts =
        ["tokio::time::sleep", "tokio::time::timeout", "tokio::time::interval", "Instant::now", "SystemTime::now"];
    let folder = root().join("guests/src");
    let found = rust_files(&folder).into_iter().filter(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let name = file.file_name().unwrap().to_string_lossy();
        name != "tests.rs" && !name.ends_with("_tests.rs") && hosts.iter().any(|call| code.contains(call))
    });
    let found: Vec<String> = found.map(|file| file.strip_prefix(&folder).unwrap().display().to_string()).collect();
    assert_eq!(found, REAL_TIME);
}

#[test]
fn circles_are_found() {
    let check = |edges: &[(&str, &str)], expected: &[&[&str]]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        let expected: BTreeSet<BTreeSet<String>> =
            expected.iter().map(|circle| circle.iter().map(|node| (*node).to_owned()).collect()).collect();
        assert_eq!(circles(&graph), expected, "{edges:?}");
    };
    check(&[("a", "b"), ("b", "c"), ("a", "c")], &[]);
    check(&[("a", "b"), ("b", "a"), ("b", "c")], &[&["a", "b"]]);
    check(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "e"), ("e", "d")], &[&["a", "b", "c"], &["d", "e"]]);
}

/// Why each crate that is named in the workspace is trusted stands in DEPENDENCIES.md, and nothing else does.
#[test]
fn every_dependency_says_why_it_is_trusted() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let manifest = read("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| line.contains(" = ") && !line.contains("path = "));
    let named: BTreeSet<&str> = lines.map(|line| line.split(" = ").next().unwrap()).collect();
    let text = read(".github/DEPENDENCIES.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let told: BTreeSet<&str> = rows.flat_map(|crates| crates.split(", ")).map(|name| name.trim_matches('`')).collect();
    assert_eq!(named, told);
}
