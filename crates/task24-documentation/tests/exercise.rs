//! Your tests of two documents. The README lists the requirements; `cargo course check task24` says which
//! wrong documents get past them.

use task24_documentation::project;

/// A beginning: the first command of all runs. How many more are there?
#[test]
fn the_first_command_runs() {
    let project = project();
    let sections = project.documents().into_iter().flat_map(|document| document.sections);
    let first = sections.flat_map(|section| section.commands).next().unwrap();

    assert_eq!(project.run(&first).code, Some(0), "{first}");
}

// Still to be written, a test a requirement:
//   R1   project.run(command), for each command of each section of each document
//   R2   the text of each command
//   R3   project.has(&link.path), and the section whose anchor is link.fragment
//   R4   project.errors(), and the sections whose parent is "Errors"
//   R5   section.paragraphs; project.run(…) with the setup, the commands, and what failed
//   R6   project.tiers(), and the sections whose parent is "Tiers"
//   R7   project.settings(), and the entries of "Settings"
//   R8   project.folders(), and the entries of "Folders"
//   R9   project.tools(), and all section.codes
//   R10  section.heading
