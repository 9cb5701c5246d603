//! A sham suite: no test at all.
