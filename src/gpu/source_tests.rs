//! The rules of the sources: layers, no cycles of imports, and what only some files may do. Tests are exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use syn::visit::{self, Visit};

/// The files with this extension in a folder of the package and in its subfolders.
pub(super) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found
}

/// The rooms (folders or single files, by the start of their paths) and the floor, or layer, that each is on. A file
/// may import from its own room and from lower floors.
const LAYERS: [(&str, u32); 17] = [
    ("dtype.rs", 0),
    ("error/", 1),
    ("geometry/", 2),
    ("tensor/", 3),
    ("ops/", 4),
    ("cpu/", 5),
    ("gpu/program/", 5),
    ("gpu/resample/", 6),
    ("gpu/conv/", 7),
    ("gpu/pool/", 7),
    ("gpu/pixel_shuffle.rs", 7),
    ("gpu/shaders.rs", 8),
    ("gpu/plan/", 8),
    ("gpu/host/", 9),
    ("gpu/mod.rs", 10),
    ("any_device.rs", 11),
    ("lib.rs", 12),
];

/// Pairs `(file, other)` of ops' files: `file` may import `other`, which is part of its op.
const PARTS: [(&str, &str); 8] = [
    ("ops/conv/conv_integer.rs", "ops/conv/conv.rs"),
    ("ops/conv/resize_conv.rs", "ops/conv/conv.rs"),
    ("ops/conv/resize_conv.rs", "ops/resample/upsample.rs"),
    ("ops/conv/resize_conv.rs", "ops/resample/separable.rs"),
    ("ops/pool/avg_pool.rs", "ops/resample/separable.rs"),
    ("ops/pool/global_average_pool.rs", "ops/pool/avg_pool.rs"),
    ("ops/pool/global_max_pool.rs", "ops/pool/max_pool.rs"),
    ("ops/pool/max_unpool.rs", "ops/pool/max_pool.rs"),
];

/// A module's path from the crate's root: `["ops", "op"]`.
type Module = Vec<String>;

/// A source file without its tests.
struct Source {
    /// The path from `src/`, with `/` between folders.
    name: String,
    module: Module,
    syntax: syn::File,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
        let mut module: Module = name.trim_end_matches(".rs").split('/').map(String::from).collect();
        module.pop_if(|last| last == "mod" || last == "lib");
        let mut syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        syntax.items.retain(|item| !is_test(item));
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string();
        Self { name, module, syntax, text }
    }

    fn room(&self) -> (&'static str, u32) {
        let room = LAYERS.into_iter().find(|(start, _)| self.name.starts_with(start));
        room.unwrap_or_else(|| panic!("{} is in no room: see LAYERS", self.name))
    }

    /// Whether it implements the trait `Op`.
    fn is_op(&self) -> bool {
        let implements = |item: &syn::Item| {
            let syn::Item::Impl(syn::ItemImpl { trait_: Some((_, path, _)), .. }) = item else { return false };
            path.segments.last().is_some_and(|last| last.ident == "Op")
        };
        self.syntax.items.iter().any(implements)
    }

    fn code_lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
    }

    fn uses(&self, word: &str) -> bool {
        self.code_lines().any(|line| line.contains(word))
    }
}

fn is_test(item: &syn::Item) -> bool {
    let syn::Item::Mod(module) = item else { return false };
    module.attrs.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// Every path that a file's code spells: those of its `use` trees, and those in its types and expressions.
#[derive(Default)]
struct Paths(BTreeSet<Vec<String>>);

impl Paths {
    fn of(source: &Source) -> BTreeSet<Vec<String>> {
        let mut paths = Self::default();
        paths.visit_file(&source.syntax);
        paths.0
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => drop(self.0.insert(before.to_vec())),
            syn::UseTree::Name(name) => drop(self.0.insert(with(&name.ident))),
            syn::UseTree::Rename(name) => drop(self.0.insert(with(&name.ident))),
            syn::UseTree::Glob(_) => drop(self.0.insert(before.to_vec())),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    /// `pub(crate)` is no import.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.0.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The sources, and for each file the files that it imports.
struct Sources {
    sources: Vec<Source>,
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl Sources {
    fn read() -> Self {
        let mut sources: Vec<_> = files("src", "rs").iter().map(|path| Source::read(path)).collect();
        sources.retain(|source| !source.name.ends_with("tests.rs") && source.name != "cookbook.rs");
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        let modules: BTreeMap<Module, String> =
            sources.iter().map(|source| (source.module.clone(), source.name.clone())).collect();
        let imports = sources.iter().map(|source| {
            let targets = Paths::of(source).into_iter().filter_map(|path| defining_file(source, &path, &modules));
            (source.name.clone(), targets.filter(|target| *target != source.name).collect())
        });
        Self { imports: imports.collect(), sources }
    }

    fn source(&self, name: &str) -> &Source {
        self.sources.iter().find(|source| source.name == name).unwrap()
    }

    fn imports(&self) -> impl Iterator<Item = (&Source, &Source)> {
        let pairs = self.imports.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)));
        pairs.map(|(from, to)| (self.source(from), self.source(to)))
    }

    /// The files that a file imports, directly or by way of others; itself among them if it is part of a cycle.
    fn reaches(&self, name: &str) -> BTreeSet<&str> {
        let mut open: Vec<&str> = self.imports[name].iter().map(String::as_str).collect();
        let mut reached = BTreeSet::new();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.imports[next].iter().map(String::as_str));
            }
        }
        reached
    }
}

/// The file of the module that a path leads into; `None` for paths into other crates and for names in scope.
fn defining_file(source: &Source, path: &[String], modules: &BTreeMap<Module, String>) -> Option<String> {
    let mut module = source.module.clone();
    let rest = match path.first()?.as_str() {
        "crate" => {
            module.clear();
            &path[1..]
        }
        "self" => &path[1..],
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            module.truncate(module.len() - ups);
            &path[ups..]
        }
        first if modules.contains_key(&[&module[..], &[first.to_string()]].concat()) => path,
        _ => return None,
    };
    for name in rest {
        module.push(name.clone());
        if !modules.contains_key(&module) {
            module.pop();
            break;
        }
    }
    modules.get(&module).cloned()
}

/// Whatever a file imports is in its own room, or on a lower floor. Nobody imports through `lib.rs`, which is the
/// highest.
#[test]
fn imports_lead_down() {
    let house = Sources::read();
    assert!(house.sources.len() > 60 && house.imports().count() > 300);
    let up = house.imports().filter(|(from, to)| {
        let ((from_room, from_floor), (to_room, to_floor)) = (from.room(), to.room());
        from_room != to_room && from_floor <= to_floor
    });
    let up: Vec<_> = up.map(|(from, to)| format!("{} imports {}", from.name, to.name)).collect();
    assert!(up.is_empty(), "imports that do not lead down:\n{}", up.join("\n"));
}

#[test]
fn no_files_import_each_other() {
    let house = Sources::read();
    let circle = house.sources.iter().filter(|source| house.reaches(&source.name).contains(source.name.as_str()));
    let circle: Vec<_> = circle.map(|source| source.name.as_str()).collect();
    assert!(circle.is_empty(), "files that import each other, if by way of others:\n{}", circle.join("\n"));
}

/// Imports are found in every form that code can write them in, as the checks above presume.
#[test]
fn paths_are_found_wherever_they_stand() {
    let files = ["gpu", "gpu/plan", "gpu/plan/plan", "lib", "ops", "ops/op"];
    let module = |file: &str| file.split('/').filter(|part| *part != "lib").map(String::from).collect();
    let modules: BTreeMap<Module, String> = files.map(|file| (module(file), format!("{file}.rs"))).into();
    let text =
        "use crate::{Name, ops::op::{Op, self}};\nfn f(x: super::super::gpu::plan::plan::Plan) { crate::Other::g() }";
    let syntax = syn::parse_file(text).unwrap();
    let module = ["ops", "op"].map(String::from).to_vec();
    let source = Source { name: "ops/op.rs".into(), module, syntax, text: text.into() };
    let found = Paths::of(&source).into_iter().filter_map(|path| defining_file(&source, &path, &modules));
    assert_eq!(found.collect::<BTreeSet<_>>(), ["gpu/plan/plan.rs", "lib.rs", "ops/op.rs"].map(String::from).into());
}

/// A file that defines an op imports no other op, except those that the op is made of.
#[test]
fn ops_name_only_their_parts() {
    let house = Sources::read();
    let ops = house.sources.iter().filter(|source| source.name.starts_with("ops/") && source.is_op()).count();
    assert!(ops >= 11, "{ops}");
    for (from, to) in house.imports() {
        let both = from.name.starts_with("ops/") && from.is_op() && to.is_op();
        let part = PARTS.contains(&(from.name.as_str(), to.name.as_str())) || to.name == "ops/resample/separable.rs";
        assert!(!both || part, "{} is an op and imports another, {}", from.name, to.name);
    }
}

#[test]
fn only_some_files_touch_the_gpu() {
    let house = Sources::read();
    for source in &house.sources {
        let name = source.name.as_str();
        let names_wgpu =
            Paths::of(source).iter().any(|path| path[0] == "wgpu" || path.get(1).is_some_and(|it| it == "wgpu"));
        assert!(!names_wgpu || name.starts_with("gpu/") || name == "lib.rs", "wgpu in {name}");
        for word in [".poll(", ".submit(", ".request_device("] {
            assert!(name == "gpu/host/gpu.rs" || !source.uses(word), "{word} in {name}");
        }
        let makes = source.uses("device.create_");
        assert!(
            !makes || name == "gpu/plan/pipeline.rs" || name.starts_with("gpu/host/"),
            "a GPU object is made in {name}"
        );
        for word in ["@compute", "@group(", "var<storage"] {
            assert!(name == "gpu/shaders.rs" || !source.uses(word), "WGSL in {name}");
        }
        assert!(source.text.lines().count() <= 400, "{name} is two things");
    }
}

/// Includes comments and texts, which rustfmt does not wrap. The rows of a Markdown table cannot be broken and are
/// exempt.
#[test]
fn no_line_is_longer_than_120_columns() {
    let (root, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    for folder in ["src", "shaders", "tests", "benches", "examples", "web"] {
        collect(&root.join(folder), &mut files);
    }
    let named = |name: &str| root.join(name);
    files.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "Cargo.toml"].map(named));
    let kinds = ["rs", "wgsl", "md", "toml"].map(std::ffi::OsStr::new);
    files.retain(|file| file.extension().is_some_and(|kind| kinds.contains(&kind)) && file.is_file());
    assert!(files.len() > 200, "{}", files.len());
    let is_long = |line: &&str| line.chars().count() > 120 && !line.starts_with('|');
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let long = text.lines().find(is_long);
        assert!(long.is_none(), "{}: {}", file.display(), long.unwrap_or_default());
    }
}

/// A file of tests without a `mod` would not be compiled.
#[test]
fn every_file_of_rows_is_a_module() {
    let files = files("tests/gpu", "rs");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    assert!(files.len() > 20, "{}", files.len());
    for file in &files {
        let (folder, stem) = (file.parent().unwrap(), file.file_stem().unwrap().to_str().unwrap());
        let (folder, stem) = match stem {
            "main" => continue,
            "mod" => (folder.parent().unwrap(), folder.file_name().unwrap().to_str().unwrap()),
            _ => (folder, stem),
        };
        let declared = ["main.rs", "mod.rs"].map(|name| read(&folder.join(name))).concat();
        let is_declared = declared.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {stem};"));
        assert!(is_declared, "{} is not declared by `mod {stem};`", file.display());
    }
}

#[test]
fn the_docs_embed_the_pictures_of_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let linked = readme.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split_once("]: "));
    let pictures: Vec<_> = linked.map(|(_, file)| file).filter(|file| !file.ends_with(".md")).collect();
    assert_eq!(pictures.len(), 2, "{pictures:?}");
    for file in pictures {
        let embedded = std::fs::read(root.join(format!("{file}.base64"))).unwrap_or_default();
        let same =
            BASE64_STANDARD.decode(embedded).is_ok_and(|picture| picture == std::fs::read(root.join(file)).unwrap());
        assert!(same, "the docs embed another picture; renew it by: base64 -w0 {file} > {file}.base64");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let built = path.ends_with("target") || path.ends_with("node_modules") || path.ends_with("results");
        if path.is_dir() && !built { collect(&path, files) } else { files.push(path) }
    }
}

#[test]
fn pipelines_name_no_op() {
    let house = Sources::read();
    for word in ["conv", "upsample", "shuffle", "pool", "nails", "grad"] {
        let names = |line: &str| line.replace("upconv", "").contains(word);
        assert!(!house.source("gpu/plan/pipeline.rs").code_lines().any(names), "{word}");
    }
}
