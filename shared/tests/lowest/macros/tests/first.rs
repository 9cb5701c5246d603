//! The attribute compiles with the lowest versions. What it expands to is tested with the harness.

use testenv_macros as _;
