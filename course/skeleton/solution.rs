//! The finished tests of task {number}, to compare with yours.

#[test]
fn what_is_allowed_stays() {
    assert_eq!([0, 9, 10].map(|value| {library}::limit(value, 10)), [0, 9, 10]);
}

#[test]
fn what_is_greater_becomes_the_greatest() {
    assert_eq!([11, u32::MAX].map(|value| {library}::limit(value, 10)), [10, 10]);
}
