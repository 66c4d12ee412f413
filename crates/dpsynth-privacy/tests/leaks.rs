//! Programs that would leak private values, and that the compiler must refuse.
//!
//! Each fails for the reason that its expected message states; a program that compiles, or fails
//! for another reason, fails the suite.

#[test]
fn programs_that_leak_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/leaks/*.rs");
}
