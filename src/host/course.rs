//! A target's processor use and memory over a run, in few enough points to be drawn: neighbours are put together once there
//! are many, by their mean and by their most.

use super::usage::Usage;

/// Most points kept of a target.
const MOST: usize = 600;

/// What one target used at a time of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds since the run's start.
    pub t_s: f64,
    /// Cores kept busy, on average; `None` where that isn't known.
    pub cpu_cores: Option<f64>,
    /// Most resident memory, in bytes.
    pub rss_bytes: Option<u64>,
    /// Rows in it.
    rows: u32,
}

/// The points of each target, in the order of their names.
#[derive(Clone, Debug)]
pub struct Course {
    names: Vec<String>,
    points: Vec<Vec<Point>>,
    /// Rows that a point is made of by now.
    rows: Vec<u32>,
}

impl Course {
    /// Of these targets.
    pub fn new(names: Vec<String>) -> Self {
        Self { points: vec![Vec::new(); names.len()], rows: vec![1; names.len()], names }
    }

    /// Takes a row, in the order they were written; of anybody else it is left out.
    pub fn push(&mut self, row: &Usage) {
        let Some(at) = self.names.iter().position(|name| *name == row.who) else { return };
        let (points, rows) = (&mut self.points[at], &mut self.rows[at]);
        let point = Point { t_s: row.t_s, cpu_cores: row.cpu_cores, rss_bytes: row.rss_bytes, rows: 1 };
        match points.last_mut().filter(|last| last.rows < *rows) {
            Some(last) => *last = joined(*last, point),
            None => points.push(point),
        }
        if points.len() >= MOST {
            *points = points.chunks(2).filter_map(|pair| pair.iter().copied().reduce(joined)).collect();
            *rows *= 2;
        }
    }

    /// The points.
    pub fn finish(self) -> Vec<Vec<Point>> {
        self.points
    }
}

/// Two neighbours as one, at the later one's time.
fn joined(a: Point, b: Point) -> Point {
    let (m, n) = (f64::from(a.rows), f64::from(b.rows));
    let cpu_cores = match (a.cpu_cores, b.cpu_cores) {
        (Some(a), Some(b)) => Some((a * m + b * n) / (m + n)),
        (a, b) => a.or(b),
    };
    Point { t_s: b.t_s, cpu_cores, rss_bytes: a.rss_bytes.max(b.rss_bytes), rows: a.rows + b.rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_make_few_points_and_keep_mean_and_most() {
        let mut course = Course::new(vec!["a".to_owned(), "b".to_owned()]);
        for second in 0..10_000_u32 {
            let row = Usage {
                t_s: f64::from(second),
                who: "a".to_owned(),
                cpu_cores: Some(if second % 2 == 0 { 0.25 } else { 0.75 }),
                rss_bytes: Some(if second == 5001 { 900 } else { 100 }),
                ..Usage::default()
            };
            course.push(&row);
            course.push(&Usage { who: "host".to_owned(), ..row });
        }
        let all = course.finish();
        assert!((MOST / 2 - 50..MOST).contains(&all[0].len()) && all[1].is_empty(), "{}", all[0].len());
        assert!(all[0].iter().all(|p| p.rows % 2 == 1 || p.cpu_cores.is_some_and(|c| (c - 0.5).abs() < 1e-9)));
        assert_eq!(all[0].iter().filter_map(|point| point.rss_bytes).max(), Some(900));
        assert!(all[0].windows(2).all(|pair| pair[0].t_s < pair[1].t_s));
        assert_eq!(all[0].iter().map(|point| point.rows).sum::<u32>(), 10_000);
    }
}
