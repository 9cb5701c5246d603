//! The finished tests, to compare with yours. Each collects what is wrong, so that a failure says all of it.

use std::collections::BTreeSet;

use task24_documentation::{Document, Link, Project, Section, project};

/// Nothing of this was found.
const NONE: Vec<String> = Vec::new();

#[test]
fn every_command_runs_in_a_fresh_copy() {
    let project = project();
    let commands = every(&project, |section| section.commands);

    assert!(!commands.is_empty());
    for command in commands {
        let outcome = project.run(&command);
        assert_eq!(outcome.code, Some(0), "{command}: {outcome:?}");
    }
}

#[test]
fn no_command_hides_a_failure() {
    let hides = |command: &String| command.contains(['|', ';']);
    let commands = every(&project(), |section| section.commands);

    assert_eq!(commands.into_iter().filter(hides).collect::<Vec<_>>(), NONE);
}

#[test]
fn every_link_leads_to_a_file_or_a_heading() {
    let project = project();
    let documents = project.documents();
    let leads_nowhere = |link: &Link| match &link.fragment {
        None => !project.has(&link.path),
        Some(fragment) => !documents.iter().any(|document| {
            document.path == link.path
                && document.sections.iter().any(|section| section.anchor == *fragment)
        }),
    };

    let links = every(&project, |section| section.links);
    assert_eq!(links.into_iter().filter(leads_nowhere).collect::<Vec<_>>(), []);
}

#[test]
fn the_errors_that_are_explained_are_those_that_there_are() {
    let project = project();

    let explained = inside(&project, "Errors").into_iter().map(|section| section.anchor);
    let errors = project.errors().into_iter().map(|error| error.anchor);

    assert_eq!(sorted(explained), sorted(errors));
}

#[test]
fn an_error_has_a_cause_and_a_cure_that_cures() {
    let project = project();
    let sections = inside(&project, "Errors");

    for error in project.errors() {
        let Some(section) = sections.iter().find(|section| section.anchor == error.anchor) else {
            continue;
        };
        let has_cause = section.paragraphs.iter().any(|it| it.starts_with("Cause: "));
        assert!(has_cause, "{section:?}");
        let cure = section.commands.join("\n");
        let outcome = project.run(&[error.setup, cure, error.command].join("\n"));
        assert_eq!(outcome.code, Some(0), "{}: {outcome:?}", section.heading);
    }
}

#[test]
fn the_tiers_are_described_with_their_needs_and_their_commands() {
    let project = project();
    let sections = inside(&project, "Tiers");

    let described = sections.iter().map(|section| section.heading.clone());
    let tiers = project.tiers();
    assert_eq!(sorted(described), sorted(tiers.iter().map(|tier| tier.name.clone())));

    for section in &sections {
        let tier = tiers.iter().find(|tier| tier.name == section.heading).unwrap();
        assert!(section.commands.contains(&tier.command), "{tier:?}: {section:?}");
        for need in &tier.needs {
            assert!(section.codes.contains(need), "{need}: {section:?}");
        }
    }
}

#[test]
fn the_settings_are_those_that_are_read() {
    let project = project();

    let listed = named(&project, "Settings").entries.into_iter();
    let listed = listed.map(|entry| (entry[0].clone(), entry[1].clone()));
    let read = project.settings().into_iter().map(|setting| (setting.name, setting.default));

    assert_eq!(sorted(listed), sorted(read));
}

#[test]
fn the_folders_are_those_of_the_project() {
    let project = project();

    let listed = named(&project, "Folders").entries.into_iter().map(|entry| entry[0].clone());

    assert_eq!(sorted(listed), sorted(project.folders()));
}

#[test]
fn every_version_is_the_pinned_one() {
    let project = project();
    let codes = every(&project, |section| section.codes);
    let needed = named(&project, "What you need").codes;

    for tool in project.tools() {
        let pinned = format!("{} {}", tool.name, tool.version);
        let begins = format!("{} ", tool.name);
        let said: Vec<&String> = codes.iter().filter(|code| code.starts_with(&begins)).collect();
        assert!(said.iter().all(|code| **code == pinned), "{pinned}: {said:?}");
        assert!(needed.contains(&pinned), "{pinned} in {needed:?}");
    }
}

#[test]
fn no_document_has_a_heading_twice() {
    for Document { path, sections, .. } in project().documents() {
        let mut seen = BTreeSet::new();
        for Section { heading, .. } in sections {
            assert!(seen.insert(heading.clone()), "{path}: {heading}");
        }
    }
}

fn every<T>(project: &Project, of: impl Fn(Section) -> Vec<T>) -> Vec<T> {
    let documents = project.documents().into_iter();
    documents.flat_map(|document| document.sections).flat_map(of).collect()
}

fn inside(project: &Project, parent: &str) -> Vec<Section> {
    let sections = every(project, |section| vec![section]);
    sections.into_iter().filter(|section| section.parent == parent).collect()
}

fn named(project: &Project, heading: &str) -> Section {
    let mut sections = every(project, |section| vec![section]).into_iter();
    sections.find(|section| section.heading == heading).unwrap()
}

fn sorted<T: Ord>(list: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = list.into_iter().collect();
    list.sort();
    list
}
