//! What the README shows of the code is made from the code: `UPDATE_GOLDEN=1 cargo test --test readme` writes it anew.

/// The text between two marks of the README.
fn between<'a>(readme: &'a str, mark: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->"));
    let from = readme.find(&begin).expect("the mark that begins it") + begin.len();
    &readme[from..from + readme[from..].find(&end).expect("the mark that ends it")]
}

#[test]
fn the_list_of_audit_rules_is_the_codes() {
    let path = "README.md";
    let readme = std::fs::read_to_string(path).expect("the README");
    let made = format!("\n{}\n", loadcmp::audit::rules_table().trim_end());
    let kept = between(&readme, "audit rules");
    if kept != made && std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mark = "<!-- audit rules: begin -->\n";
        let whole = readme.replace(&format!("{mark}{kept}"), &format!("{mark}{made}"));
        std::fs::write(path, whole).expect("writing the README");
        return;
    }
    assert!(
        kept == made,
        "README.md lists other rules than the code has; run: UPDATE_GOLDEN=1 cargo test --test readme"
    );
}
