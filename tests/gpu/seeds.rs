use super::Row;
pub fn rows() -> Vec<Row> {
    Vec::new()
}
