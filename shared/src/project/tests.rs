use std::path::Path;

use super::{Image, Wanted, Wishes, in_force};

/// A workspace with a package `shop`.
fn workspace(root: &str, package: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("shop/tests")).unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), root).unwrap();
    std::fs::write(folder.path().join("shop/Cargo.toml"), package).unwrap();
    folder
}

fn postgres(folder: &Path) -> Wishes {
    let all = in_force(folder).unwrap_or_else(|error| panic!("{error}"));
    all.into_iter()
        .find(|(name, _)| *name == "postgres")
        .map(|(_, wishes)| wishes)
        .unwrap_or_default()
}

const SHOP: &str = "[package]\nname = \"shop\"\nversion.workspace = true\n";

#[test]
fn what_a_workspace_says_holds_for_its_packages_and_a_package_may_say_something_else() {
    let root = "[workspace]\nmembers = [\"shop\"]\n\n[workspace.metadata.testenv.postgres]\n\
        image = \"pgvector/pgvector:pg17\"\nsettings = { wal_level = \"logical\", max_wal_senders = 10, jit = true }\n";
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());

    let plain = workspace(root, SHOP);
    let wishes = postgres(&plain.path().join("shop"));
    let place = format!("{}:5", plain.path().join("Cargo.toml").display());
    let name = Wanted::Image("pgvector/pgvector:pg17".into());
    assert_eq!(wishes.image, Some(Image { name, place }));
    assert_eq!(
        wishes.settings,
        [set("jit", "on"), set("max_wal_senders", "10"), set("wal_level", "logical")]
    );
    // A debugger may start it somewhere below.
    assert_eq!(postgres(&plain.path().join("shop/tests")), wishes);
    assert_eq!(postgres(plain.path()), wishes);

    let own = format!(
        "{SHOP}[package.metadata.testenv.postgres]\nversion = \"16\"\nsettings.jit = \"off\"\n"
    );
    let own = postgres(&workspace(root, &own).path().join("shop"));
    assert_eq!(own.image.unwrap().name, Wanted::Version("16".into()));
    assert_eq!(own.settings[0], set("jit", "off"));
    assert_eq!(own.settings.len(), 3);
}

#[test]
fn the_workspace_is_the_one_that_the_package_names() {
    let folder = workspace(
        "[workspace]\n[workspace.metadata.testenv.postgres]\nversion = \"13\"\n",
        "[package]\nname = \"shop\"\nworkspace = \"../other\"\n",
    );
    std::fs::create_dir(folder.path().join("other")).unwrap();
    let other = "[workspace]\n[workspace.metadata.testenv.postgres]\nversion = \"14\"\n";
    std::fs::write(folder.path().join("other/Cargo.toml"), other).unwrap();

    let image = postgres(&folder.path().join("shop")).image;

    assert_eq!(image.unwrap().name, Wanted::Version("14".into()));
}

#[test]
fn a_workspace_says_nothing_for_a_package_that_it_excludes() {
    let root = "[workspace]\nexclude = [\"shop\"]\n[workspace.metadata.testenv.postgres]\nversion = \"13\"\n";

    let wishes = postgres(&workspace(root, "[package]\nname = \"shop\"\n").path().join("shop"));

    assert_eq!(wishes, Wishes::default());
}

#[test]
fn a_project_that_says_nothing_wants_nothing() {
    assert_eq!(in_force(tempfile::tempdir().unwrap().path()).unwrap(), []);
    let other = "[workspace.metadata.docs]\nfor = \"testenv\"\n";
    assert_eq!(in_force(&workspace(other, SHOP).path().join("shop")).unwrap(), []);
    assert_eq!(in_force(workspace("no toml", SHOP).path()).unwrap(), []);
}

#[test]
fn a_mistake_is_named_with_file_and_line() {
    for (said, words) in [
        ("[workspace.metadata]\ntestenv = 7", ":3: `testenv` is no table"),
        ("[workspace.metadata.testenv.postgress]", ":2: the harness has no service `postgress`"),
        (
            "[workspace.metadata.testenv]\npostgres = 17",
            ":3: `postgres` is nothing that the harness knows",
        ),
        (
            "[workspace.metadata.testenv.redis]\niamge = \"a\"",
            ":3: `iamge` is nothing that the harness knows",
        ),
        ("[workspace.metadata.testenv.redis]\nimage = \" \"", ":3: `image` is nothing"),
        ("[workspace.metadata.testenv.redis]\nversion = 7", ":3: `version` is nothing"),
        (
            "[workspace.metadata.testenv.redis]\nimage = \"a\"\nversion = \"7\"",
            ":4: an image and a version",
        ),
        ("[workspace.metadata.testenv.s3]\nsettings = {}", ":3: s3 has no settings here"),
        ("[workspace.metadata.testenv.redis]\nsettings = 1", ":3: `settings` is nothing"),
        (
            "[workspace.metadata.testenv.redis.settings]\nDatabases = 1",
            ":3: the harness sets `Databases` itself",
        ),
        ("[workspace.metadata.testenv.postgres.settings]\njit = []", ":3: `jit` has no value"),
        ("[workspace.metadata.testenv.postgres.settings]\n\"a b\" = 1", ":3: `a b` has no value"),
        (
            "[workspace.metadata.testenv.redis.settings]\nsave = \"a\\nport 1\"",
            ":3: `save` has no value",
        ),
    ] {
        let folder = workspace(&format!("[workspace]\n{said}\n"), SHOP);

        let refused = in_force(&folder.path().join("shop")).unwrap_err().to_string();

        assert!(refused.contains(&format!("Cargo.toml{words}")), "{said}: {refused}");
        assert!(refused.contains("to fix:"), "{refused}");
    }
}
