//! Who may import whom: the layers, as `host/src/lib.rs` lists them, and no circles.

use std::collections::{BTreeMap, BTreeSet};

use super::{code, module, repository, sources};

/// Modules that belong to the program and are in no list.
const PROGRAM: [&str; 2] = ["main", "lib"];

/// A path of modules, from the crate's root.
type Path = Vec<String>;

/// The modules of each layer, from above to below.
fn layers() -> Vec<BTreeSet<String>> {
    let lib = std::fs::read_to_string(repository().join("host/src/lib.rs")).unwrap();
    let code = lib.split("//! # The code").nth(1).expect("lib.rs says where the code is");
    let list = code.split("\n\n").next().unwrap_or_default();
    let mut layers: Vec<_> = list.split("\n//! - *").skip(1).map(names).collect();
    layers.last_mut().unwrap().extend(PROGRAM.map(str::to_owned));
    assert_eq!(layers.len(), 4, "lib.rs has a list of four layers");
    layers
}

/// What stands between back quotes.
fn names(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn layer(layers: &[BTreeSet<String>], top: &str) -> usize {
    let layer = layers.iter().position(|layer| layer.contains(top));
    layer.unwrap_or_else(|| panic!("`{top}` is in no layer of the list in lib.rs"))
}

/// Every path of modules that a file's code names, from the crate's root.
fn imports(of: &[String], code: &str) -> Vec<Path> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            if !code[..at].ends_with(is_inside) {
                tree(&code[at..], Vec::new(), &mut found);
            }
        }
    }
    found.into_iter().filter_map(|path| absolute(of, &path)).collect()
}

/// Reads `a::b` or `a::{b, c::d}`, and gives what is left behind it.
fn tree<'c>(code: &'c str, mut path: Path, found: &mut Vec<Path>) -> &'c str {
    let mut rest = code.trim_start();
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                inside = tree(inside, path.clone(), found).trim_start();
                let renamed = inside.strip_prefix("as ");
                inside = renamed.map_or(inside, |name| {
                    name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start()
                });
                inside = match inside.strip_prefix(',') {
                    Some(more) => more.trim_start(),
                    None => return inside.strip_prefix('}').unwrap_or(inside),
                };
                if let Some(rest) = inside.strip_prefix('}') {
                    return rest;
                }
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            found.push(path);
            return rest.strip_prefix('*').unwrap_or(rest);
        }
        path.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(more) => rest = more,
            None => {
                found.push(path);
                return rest;
            }
        }
    }
}

fn absolute(of: &[String], path: &[String]) -> Option<Path> {
    let mut base = of.to_vec();
    let mut rest = path;
    while let Some((first, more)) = rest.split_first() {
        match first.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()?),
            "self" => (),
            _ => break,
        }
        rest = more;
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// The files of the host but for its tests, by their path of modules.
fn modules() -> BTreeMap<Path, String> {
    let files = sources(&["host/src"]).into_iter().filter(|(path, _)| !super::is_test(path));
    let named = files.map(|(path, text)| {
        let path = module(&path).split('/').map(str::to_owned).collect();
        (path, code(&text))
    });
    named.collect()
}

/// Which of two siblings below a path imports the other.
fn siblings(modules: &BTreeMap<Path, String>) -> BTreeSet<(Path, String, String)> {
    let mut edges = BTreeSet::new();
    for (of, code) in modules {
        for to in imports(of, code) {
            let common = of.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(other)) = (of.get(common), to.get(common))
                && modules.contains_key(&to[..=common])
            {
                edges.insert((of[..common].to_vec(), from.clone(), other.clone()));
            }
        }
    }
    edges
}

/// The siblings that import each other, at once or by way of others.
fn circles(edges: &BTreeSet<(Path, String, String)>) -> Vec<String> {
    let reach = |parent: &Path, from: &String| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(one) = left.pop() {
            let next = edges.iter().filter(|(at, of, _)| at == parent && *of == one);
            left.extend(next.map(|(.., to)| to.clone()).filter(|to| seen.insert(to.clone())));
        }
        seen
    };
    let closed = edges.iter().filter(|(parent, from, _)| reach(parent, from).contains(from));
    closed.map(|(parent, from, to)| format!("{}: {from} -> {to}", parent.join("/"))).collect()
}

#[test]
fn a_file_imports_only_from_the_layers_above_it() {
    let (layers, modules) = (layers(), modules());
    let activity = 2;
    for (of, code) in &modules {
        let own = layer(&layers, &of[0]);
        for to in imports(of, code) {
            let Some(top) = to.first().filter(|top| **top != of[0]) else { continue };
            if !modules.contains_key(&to[..1]) {
                continue;
            }
            let other = layer(&layers, top);
            assert!(other <= own, "{} imports `{top}` from below", of.join("/"));
            assert!(
                own != activity || other != activity,
                "{} imports `{top}`: activities never import each other",
                of.join("/")
            );
        }
    }
}

#[test]
fn no_siblings_import_each_other_in_a_circle() {
    let all = siblings(&modules());
    assert!(all.len() > 100, "imports are found");
    let found = circles(&all);
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let path = |text: &str| text.split('/').map(str::to_owned).collect::<Path>();
    let ways = [
        ("use super::b::B;", "use crate::room::a::{self, A};"),
        ("use super::{c::C, b::{B, D}};", "use super::a;"),
        ("use crate::{room::b::B, other};", "fn f() { super::a::g() }"),
        ("use super::c::C;", "use super::a::A;"),
    ];
    for (a, b) in ways {
        let files = [
            (path("room"), String::new()),
            (path("room/a"), a.to_owned()),
            (path("room/b"), b.to_owned()),
            (path("room/c"), "use super::b::B;".to_owned()),
        ];
        assert!(!circles(&siblings(&files.into())).is_empty(), "{a} and {b}");
    }
    let files = [
        (path("room"), "use self::a::A;".to_owned()),
        (path("room/a"), "use super::b::{B, C as A}; use super::Room;".to_owned()),
        (path("room/b"), "use crate::other;\n// super::a".to_owned()),
    ];
    let plain = files.map(|(path, text)| (path, code(&text)));
    let found = circles(&siblings(&plain.into()));
    assert!(found.is_empty(), "{found:?}");
}
