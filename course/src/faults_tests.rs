use super::{Faults, Source, Tier, has};
use crate::requirements;

const GOOD: &str = "# Faults.\n[[fault]]\nid = \"a-b\"\nrequirement = \"R1\"\nstory = \"S.\"\nhint = \"H.\"\n\n\
                    [[variant]]\nid = \"c\"\nrequirement = \"R2\"\nstory = \"S.\"\nhint = \"H.\"\n";

fn read(text: &str) -> Result<Faults, String> {
    let requirements = requirements::read("## Requirements\n- **R1** One.\n- **R2** Two.\n");
    Source { name: "faults.toml".into(), text: text.into(), requirements }
        .faults(|id| id != "lost", |test| test == "keeps_it")
        .map_err(|e| e.to_string())
}

fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from));
    read(&GOOD.replacen(from, to, 1)).err().unwrap()
}

#[test]
fn faults_and_variants_keep_their_order_and_get_their_requirement() {
    let faults = read(GOOD).unwrap();

    assert_eq!(
        (faults.faults[0].id.as_str(), faults.faults[0].requirement.sentence.as_str()),
        ("a-b", "One.")
    );
    assert_eq!(
        (faults.variants[0].id.as_str(), faults.variants[0].requirement.id.as_str()),
        ("c", "R2")
    );
}

#[test]
fn a_promise_counts_beside_the_faults() {
    let promise = "[[promise]]\ntest = \"keeps_it\"\nrequirement = \"R2\"\nhint = \"H.\"\n";

    let faults = read(&format!("{GOOD}\n{promise}")).unwrap();

    assert_eq!(faults.promises[0].requirement.id, "R2");
    assert_eq!((faults.points(), faults.counted()), (2, "faults caught and promises kept"));
    assert_eq!(
        read(GOOD).map(|faults| (faults.points(), faults.counted())),
        Ok((1, "faults caught"))
    );
}

#[test]
fn the_tier_is_plain_unless_the_file_says_another() {
    let real =
        GOOD.replacen("[[fault]]", "tier = \"integration\"\nneeds = [\"kafka\"]\n[[fault]]", 1);

    let (plain, real) = (read(GOOD).unwrap(), read(&real).unwrap());

    assert_eq!((plain.tier, real.tier), (Tier::Plain, Tier::Integration));
    assert_eq!((plain.needs.len(), real.needs[0].name), (0, "kafka"));
}

#[test]
fn each_mistake_is_named_with_its_line_and_its_cure() {
    for (from, to, expected) in [
        ("id = \"a-b\"", "id = \"a-b", "faults.toml:3: "),
        ("story", "storry", "faults.toml:5: unknown field `storry`"),
        ("hint = \"H.\"\n\n", "\n", "faults.toml:2: missing field `hint`"),
        ("\"S.\"", "7", "faults.toml:5: invalid type: integer `7`"),
        ("\"c\"", "\"a-b\"", "faults.toml:9: the id `a-b` stands here a second time"),
        ("\"c\"", "\"lost\"", "faults.toml:9: no file below src/ has fault!(\"lost\")"),
        ("\"c\"", "\"C d\"", "faults.toml:9: the id `C d` is not in kebab-case"),
        ("\"R2\"", "\"R7\"", "faults.toml:10: the README has no requirement `R7`"),
        ("\"H.\"", "\" \"", "faults.toml:6: the hint of `a-b` is empty"),
        ("[[fault]]", "[[faults]]", "faults.toml:2: unknown field `faults`"),
        (
            "[[variant]]",
            "[[promise]]\ntest = \"lost\"\nrequirement = \"R1\"\nhint = \"H.\"\n\n[[variant]]",
            "faults.toml:9: tests/mine.rs has no test `lost`",
        ),
        (
            "[[variant]]",
            "[[promise]]\ntest = \"keeps_it\"\nrequirement = \"R9\"\nhint = \"H.\"\n\n[[variant]]",
            "faults.toml:10: the README has no requirement `R9`",
        ),
        ("[[fault]]", "tier = \"real\"\n[[fault]]", "faults.toml:2: unknown variant `real`"),
        ("[[fault]]", "[[fault]]\ntier = \"plain\"", "faults.toml:3: unknown field `tier`"),
        (
            "[[fault]]",
            "needs = [\"posgres\"]\n[[fault]]",
            "faults.toml:2: there is no service `posgres`",
        ),
    ] {
        let refusal = refusal(from, to);
        assert!(refusal.starts_with(expected), "{from} -> {to}: {refusal}");
        assert!(refusal.contains("to fix: "), "{refusal}");
    }
}

#[test]
fn a_fault_is_made_by_a_condition_or_in_a_list_and_not_by_a_name_alone() {
    let text = "if fault!(\"one\") {}\nfn f() {\n    by_fault! {\n        \"two\" => 2,\n    }\n    .unwrap_or(3)\n}\nmatch id {\n    \"three\" => 3,\n}";

    assert!(has(text, "one") && has(text, "two"));
    assert!(!has(text, "three") && !has(text, "tw"));
}
