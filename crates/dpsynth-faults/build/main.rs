//! Copies the core's source and writes every known fault into the copy, each behind a question to
//! `crate::fault`. A fault whose place in the core is no longer there stops the build.

#![allow(
    clippy::print_stdout,
    reason = "Cargo reads what a build script prints"
)]

mod faults;

use std::fs;
use std::path::{Path, PathBuf};

use faults::{FAULTS, WIRING};

fn main() {
    let core = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../dpsynth-privacy/src");
    let copy = Path::new(&variable("OUT_DIR")).join("core");
    println!("cargo::rerun-if-changed={}", core.display());
    println!("cargo::rerun-if-changed=build");
    // Files that were renamed in the core must not stay.
    if copy.exists() {
        fs::remove_dir_all(&copy).expect("the old copy can be removed");
    }
    copy_folder(&core, &copy);
    for (file, find, replace) in WIRING {
        replace_once(&copy.join(file), find, replace, "the wiring of the faults");
    }
    for fault in FAULTS {
        for (file, find, replace) in fault.edits {
            let replace = replace.replace("FAULT", &format!("crate::fault::Fault::{}", fault.name));
            replace_once(&copy.join(file), find, &replace, fault.name);
        }
    }
    fs::write(copy.join("fault.rs"), fault_module()).expect("the copy can be written");
}

fn variable(name: &str) -> String {
    std::env::var(name).expect("cargo sets it")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the copy can be made");
    let mut entries: Vec<PathBuf> = fs::read_dir(from)
        .expect("the core lies beside this crate")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    entries.sort();
    for path in entries {
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::write(&target, source(&path)).expect("the copy can be written");
        }
    }
}

/// The text of a file without its tests, which run in the core. The root is included into another
/// file, where inner comments may not stand.
fn source(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let text = text.replace("#[cfg(test)]", "#[cfg(any())]");
    if path.ends_with("src/lib.rs") {
        let code = text.lines().filter(|line| !line.starts_with("//!"));
        code.collect::<Vec<_>>().join("\n")
    } else {
        text
    }
}

fn replace_once(path: &Path, find: &str, replace: &str, fault: &str) {
    let text = fs::read_to_string(path).expect("a file of the core");
    let times = text.matches(find).count();
    assert!(
        times == 1,
        "{fault}: its place occurs {times} times in {}, and must occur once: {find}",
        path.display()
    );
    fs::write(path, text.replacen(find, replace, 1)).expect("the copy can be written");
}

/// The module that says which fault is on: on this thread, and for keys that were made on it.
fn fault_module() -> String {
    let mut text = String::from(
        "//! Which fault is on.\n\nuse std::cell::Cell;\n\n\
         /// A known fault of the core.\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\npub enum Fault {\n\
         /// None: the copy is the core.\n#[default]\nNone,\n",
    );
    for fault in FAULTS {
        text += &format!("/// {}.\n{},\n", fault.what, fault.name);
    }
    text += "}\n\nimpl Fault {\n/// Every fault with what it is.\npub const ALL: &'static [(Self, &'static str)] = &[\n";
    for fault in FAULTS {
        text += &format!("(Self::{}, {:?}),\n", fault.name, fault.what);
    }
    text += "];\n}\n\nthread_local! { static CURRENT: Cell<Fault> = const { Cell::new(Fault::None) }; }\n\n\
        /// Runs `work` with `fault` on. Keys that are made meanwhile carry it to other threads.\n\
        pub fn with<T>(fault: Fault, work: impl FnOnce() -> T) -> T {\n\
        let before = CURRENT.replace(fault);\n let done = work();\n CURRENT.set(before);\n done\n}\n\n\
        pub(crate) fn current() -> Fault { CURRENT.get() }\n\n\
        pub(crate) fn on(fault: Fault) -> bool { current() == fault }\n\n\
        thread_local! { static SEEN: Cell<Fault> = const { Cell::new(Fault::None) }; }\n\n\
        // What the key of the step at hand carries, on the threads of that step.\n\
        pub(crate) fn see(fault: Fault) { SEEN.set(fault); }\n\n\
        pub(crate) fn seen(fault: Fault) -> bool { SEEN.get() == fault }\n";
    text
}
