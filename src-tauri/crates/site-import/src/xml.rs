//! What is read of XML.

use roxmltree::{Document, Node, ParsingOptions};

/// Nodes of a document, at most.
const NODES: u32 = 2_000_000;

/// The tree of a document.
///
/// # Errors
/// In words.
pub(crate) fn document(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions {
        // Bookmarks of Cyberduck name a document type. Nothing outside of the text is read for it.
        allow_dtd: true,
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

/// The child of this name.
pub(crate) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// The text of the child of this name; empty where there is none.
pub(crate) fn text<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    child(node, name)
        .and_then(|child| child.text())
        .map_or("", str::trim)
}

/// The text that stands in a node between its children.
pub(crate) fn own_text(node: Node<'_, '_>) -> String {
    node.children()
        .filter(Node::is_text)
        .filter_map(|child| child.text())
        .collect::<String>()
        .trim()
        .to_owned()
}
