//! The applications: Java does not run here, so that they are what an application of today would take their
//! place with.

use crate::draft::{Application, Draft};
use crate::value::quoted;

/// The sample application of the article, which comes with the program.
const SAMPLE: &str = "clusterapp";

impl Application {
    /// Its context path, which may follow from the name of its directory.
    fn context_path(&self) -> String {
        let base = || {
            let name = self.doc_base.as_deref().unwrap_or("ROOT").trim_end_matches('/');
            let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
            let name = name.strip_suffix(".war").unwrap_or(name);
            // After two of them comes a version.
            let name = name.split("##").next().unwrap_or_default();
            if name == "ROOT" { String::new() } else { name.replace('#', "/") }
        };
        let path = self.path.clone().unwrap_or_else(base);
        let path: String = path.chars().filter(|character| !character.is_control()).collect();
        format!("/{}", path.trim_matches('/'))
    }

    fn is_sample(&self) -> bool {
        let path = self.context_path();
        path.rsplit('/').next() == Some(SAMPLE)
            || self.doc_base.as_deref().is_some_and(|base| base.trim_end_matches(".war").ends_with(SAMPLE))
    }
}

/// The tables `[[app]]` as they are printed. Those that cannot run are comments.
pub(crate) fn tables(draft: &Draft) -> String {
    let mut text = String::new();
    for application in &draft.applications {
        let path = application.context_path();
        let mut lines = vec!["[[app]]".to_owned(), format!("path = {}", quoted(&path))];
        if application.is_sample() {
            lines.push("builtin = \"clusterapp\"".to_owned());
        } else {
            let name = path.trim_matches('/').replace('/', "#");
            let name = if name.is_empty() { "ROOT".to_owned() } else { name };
            lines.push(format!("file = {}", quoted(&format!("{name}.wasm"))));
        }
        if draft.distributable == Some(false) {
            lines.push("distributable = false   # its web.xml has no <distributable/>".to_owned());
        }
        let above =
            application.cookie_path.as_deref().filter(|above| path.starts_with(above.trim_end_matches('/')));
        if let Some(above) = above {
            lines.push(format!("session_path = {}", quoted(above)));
        }
        let mark = if application.is_sample() { "" } else { "# " };
        let why = if application.is_sample() {
            "the sample application comes with the program"
        } else {
            "a Java application does not run here: a component in its place, see docs/applications.md"
        };
        text.push_str(&format!("\n# {}, Context: {why}\n", application.place));
        lines.iter().for_each(|line| text.push_str(&format!("{mark}{line}\n")));
    }
    text
}
