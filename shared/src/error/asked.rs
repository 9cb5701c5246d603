//! The line of a test that asked for what could not be given.

use std::panic::Location;

use super::Error;

/// What stands before the line.
const ASKED: &str = "\n  asked for at: ";

impl Error {
    /// Ends the test, with the line on which it asked. The line of the panic itself is one of the
    /// harness, because an async function does not know who called it.
    pub(crate) fn raise(self, asked: &Location<'_>) -> ! {
        // The arguments of `#[testenv::test]` are asked for by the harness.
        let own = file!().strip_suffix("error/asked.rs").unwrap_or(file!());
        let asked = Some(asked.to_string()).filter(|place| !place.starts_with(own));
        panic!("{self}{}", asked.map(|place| format!("{ASKED}{place}")).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_harness_is_nobodys_line() {
        let here = Location::caller();

        let raised = std::panic::catch_unwind(|| Error::new("no server").raise(here));

        let said = raised.unwrap_err().downcast::<String>();
        assert_eq!(*said.unwrap(), "no server");
    }
}
