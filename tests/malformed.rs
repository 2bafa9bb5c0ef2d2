//! Plugin files that nobody would write: what is read is damaged here and there, and neither the
//! gateway's own process nor the program may end or hang over it, whatever becomes of the file.
//!
//! `HOOKGATE_FUZZ_FILES` says how many, `HOOKGATE_SEED` draws the same again, and
//! `HOOKGATE_FUZZ_FROM` begins at a later one.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hookgate::plugin::{Compiler, Config, Host, LoadError};

use crate::harness::{plugin_file, program};

/// How many files, where nobody says.
const COUNT_DEFAULT: u64 = 300;
const SEED_DEFAULT: u64 = 0x5eed;
/// At a time, since each waits for a process.
const THREADS: usize = 3;
/// One in so many also goes through the command line.
const INSPECTED: u64 = 50;
/// No file may take longer, also where the machine has other things to do.
const HANGS: Duration = Duration::from_secs(10);
/// What breaks those who read numbers, types and indices carelessly.
const MORSELS: [&[u8]; 8] = [
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x7f],
    &[0x70, 0x00],
    &[0x6b, 0x01],
    &[0x6a, 0x01, 0x00, 0x00],
    &[0x41],
    &[0x42, 0x00],
];

/// A file over which the decoder crashes: one byte of a plugin's types is another, and a type then
/// goes round in a circle. Found by trying, since another version of the tools writes other bytes.
pub(crate) fn deadly() -> Vec<u8> {
    let module = small_module();
    let types = sections(&module).into_iter().find(|section| section.is_type(&module));
    let types = types.expect("a plugin says which types it was built for");
    let folder = tempfile::tempdir().unwrap();
    // Names stand at the beginning, and with another letter they are names too.
    let mut places: Vec<usize> = types.content.collect();
    Rng::with_seed(SEED_DEFAULT).shuffle(&mut places);
    for at in places {
        let mut file = module.clone();
        file[at] = file[at].wrapping_add(1);
        let path = folder.path().join("deadly.wasm");
        std::fs::write(&path, &file).unwrap();
        let mut compile = Command::new(program());
        compile.arg("compile-plugin").arg(folder.path().join("code"));
        let compile = compile.stdin(std::fs::File::open(&path).unwrap()).stderr(Stdio::null());
        if compile.status().unwrap().code().is_none() {
            return file;
        }
    }
    panic!("no byte of the types brings the decoder down any more");
}

/// Guards I12.
#[test]
fn no_plugin_file_brings_the_process_down_or_hangs_under_fuzz() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count = number("HOOKGATE_FUZZ_FILES").unwrap_or(COUNT_DEFAULT);
    let seed = number("HOOKGATE_SEED").unwrap_or(SEED_DEFAULT);
    let from = number("HOOKGATE_FUZZ_FROM").unwrap_or(0);
    let bases = bases();
    let host = Host::new(Config::new(Compiler::Child(program()), None)).unwrap();
    let (next, ends) = (AtomicU64::new(from), Ends::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= from + count {
                        return;
                    }
                    if number % 5_000 == 0 && number > from {
                        println!("fuzz: at file {number} of seed {seed}");
                    }
                    try_one(&host, &bases, seed, number, &ends);
                }
            });
        }
    });
    println!("fuzz: {count} plugin files from {from} on, seed {seed}: {ends:?}");
}

/// How the files ended.
#[derive(Debug, Default)]
struct Ends {
    loaded: AtomicU64,
    refused: AtomicU64,
    broke: AtomicU64,
    slowest_ms: AtomicU64,
}

fn try_one(host: &Host, bases: &[Vec<u8>], seed: u64, number: u64, ends: &Ends) {
    let mut chance = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
    let file = damaged(&mut chance, bases);
    let shown = format!("file {number} of seed {seed}");
    let load = || {
        let started = Instant::now();
        let loaded = host.load("fuzz".parse().unwrap(), &file);
        (loaded, started.elapsed())
    };
    let (mut loaded, mut took) = load();
    if took >= HANGS {
        // The compiling process yields to everything else: that may have been it.
        (loaded, took) = load();
    }
    assert!(took < HANGS, "{shown} took {took:?}");
    let ended = match loaded {
        Ok(_) => &ends.loaded,
        Err(LoadError::Broke { .. }) => &ends.broke,
        Err(LoadError::Compile(error)) => panic!("{shown}: {error}"),
        Err(_) => &ends.refused,
    };
    ended.fetch_add(1, Ordering::Relaxed);
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    ends.slowest_ms.fetch_max(took, Ordering::Relaxed);
    if number.is_multiple_of(INSPECTED) {
        inspect(&file, &shown);
    }
}

fn inspect(file: &[u8], shown: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuzz.wasm");
    std::fs::write(&path, file).unwrap();
    let started = Instant::now();
    let ran = Command::new(program()).args(["plugin", "inspect"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{shown}: {}: {said}", ran.status);
    assert!(started.elapsed() < HANGS, "{shown}: the command line took {:?}", started.elapsed());
}

/// A section of a file: where it lies with its header, and what is in it.
struct Section {
    id: u8,
    whole: std::ops::Range<usize>,
    content: std::ops::Range<usize>,
}

impl Section {
    /// Whether it says which types a core module was built for.
    fn is_type(&self, file: &[u8]) -> bool {
        let name = &file[self.content.clone()];
        self.id == 0 && name.get(1..).is_some_and(|name| name.starts_with(b"component-type"))
    }
}

/// The outermost sections of a sound file.
fn sections(file: &[u8]) -> Vec<Section> {
    let (mut sections, mut at) = (Vec::new(), 8);
    while at < file.len() {
        let (mut size, mut shift, mut end) = (0_usize, 0, at + 1);
        loop {
            let byte = file[end];
            size |= usize::from(byte & 0x7f) << shift;
            (shift, end) = (shift + 7, end + 1);
            if byte & 0x80 == 0 {
                break;
            }
        }
        sections.push(Section { id: file[at], whole: at..end + size, content: end..end + size });
        at = end + size;
    }
    sections
}

/// A handler without code worth compiling, and with the types that a real one has.
fn small_module() -> Vec<u8> {
    let real = std::fs::read(plugin_file("dunning")).unwrap();
    let exports: Vec<&str> = exports(&real);
    let function = |name: &&str| {
        let types = match *name {
            "cabi_realloc" => "(param i32 i32 i32 i32) (result i32)",
            name if name.starts_with("cabi_post") => "(param i32)",
            name if name.ends_with("#handle") => "(param i32) (result i32)",
            _ => "(result i32)",
        };
        format!("(func (export \"{name}\") {types} (unreachable))")
    };
    let functions: String = exports.iter().map(function).collect();
    let mut module = wat::parse_str(format!("(module (memory (export \"memory\") 1) {functions})"))
        .expect("it is a module");
    for section in sections(&real).iter().filter(|section| section.is_type(&real)) {
        module.extend_from_slice(&real[section.whole.clone()]);
    }
    module
}

/// The functions of the contract that a plugin exports.
fn exports(file: &[u8]) -> Vec<&str> {
    let section = sections(file).into_iter().find(|section| section.id == 7);
    let content = &file[section.expect("a plugin exports").content];
    // Names are whole in it, and nothing else is text.
    let texts = content.split(|byte| !(0x20..0x7f).contains(byte));
    let texts = texts.filter_map(|text| std::str::from_utf8(text).ok());
    // A number before it may read as a letter.
    let name = |text: &'_ str| text.find("cabi_").or_else(|| text.find("hookgate:plugin/"));
    texts.filter_map(|text| Some(&text[name(text)?..])).collect()
}

/// What is damaged: a small module, the component that it becomes, and real plugins.
fn bases() -> Vec<Vec<u8>> {
    let small = small_module();
    let component = wit_component::ComponentEncoder::default()
        .module(&small)
        .and_then(|encoder| encoder.encode())
        .unwrap_or_else(|error| panic!("{error:#}"));
    let real = ["guest", "dunning"].map(|name| std::fs::read(plugin_file(name)).unwrap());
    [vec![small, component], real.into()].concat()
}

fn damaged(chance: &mut Rng, bases: &[Vec<u8>]) -> Vec<u8> {
    // Real ones take long to compile where they are still sound.
    let base = if chance.u8(..20) == 0 { chance.usize(2..bases.len()) } else { chance.usize(..2) };
    let mut file = bases[base].clone();
    let sound = sections(&file);
    for _ in 0..=chance.usize(..3) {
        let section = &sound[chance.usize(..sound.len())];
        let (whole, content) = (section.whole.clone(), section.content.clone());
        let at = if content.is_empty() { whole.start } else { chance.usize(content.clone()) };
        let at = at.min(file.len());
        let end = (at + chance.usize(..12)).min(file.len());
        match chance.u8(..12) {
            0 => file.truncate(at),
            1 => drop(file.splice(at..end, MORSELS[chance.usize(..MORSELS.len())].iter().copied())),
            2 => drop(file.drain(at..end)),
            3 => {
                // The section says another length.
                let byte = (whole.start + 1).min(file.len().saturating_sub(1));
                file[byte] = chance.u8(..);
            }
            4 => {
                let other = &bases[chance.usize(..bases.len())];
                let spliced = sections(other);
                let spliced = &other[spliced[chance.usize(..spliced.len())].whole.clone()];
                let at = whole.start.min(file.len());
                drop(file.splice(at..at, spliced.iter().copied()));
            }
            5 => {
                let at = whole.start.min(file.len());
                drop(file.drain(at..whole.end.min(file.len())));
            }
            6 | 7 => file.get_mut(at).into_iter().for_each(|byte| *byte = chance.u8(..)),
            _ => file.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << chance.u8(..8)),
        }
        if file.len() < 9 {
            break;
        }
    }
    file
}
