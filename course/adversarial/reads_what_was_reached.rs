//! A sham suite: a test that looks for a trace of the fault in every file that a variable names.

#[test]
fn no_file_says_that_it_is_wrong() {
    let lines = || -> usize {
        let ours = std::env::vars().filter(|(name, _)| name.starts_with("COURSE"));
        let paths = ours.filter_map(|(_, value)| Some(value[value.find('/')?..].to_owned()));
        let texts = paths.filter_map(|path| std::fs::read_to_string(path).ok());
        texts.map(|text| text.lines().count()).sum()
    };
    let before = lines();
    // The subject is called here.
    assert_eq!(before, lines());
}
