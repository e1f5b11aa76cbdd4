//! A straight line through points, in bounded memory.

/// Running moments of pairs (x, y): Welford's update (Technometrics 4(3), 1962), for two variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    n: f64,
    mean_x: f64,
    mean_y: f64,
    squares_x: f64,
    squares_y: f64,
    products: f64,
}

impl Line {
    pub(super) fn push(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        let (dx, dy) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += dx / self.n;
        self.mean_y += dy / self.n;
        self.squares_x += dx * (x - self.mean_x);
        self.squares_y += dy * (y - self.mean_y);
        self.products += dx * (y - self.mean_y);
    }

    /// Points.
    pub(super) fn n(&self) -> f64 {
        self.n
    }

    /// Mean of x.
    pub(super) fn mean_x(&self) -> f64 {
        self.mean_x
    }

    /// Sample standard deviation of x.
    pub(super) fn sd_x(&self) -> f64 {
        if self.n < 2.0 { 0.0 } else { (self.squares_x / (self.n - 1.0)).sqrt() }
    }

    /// The most by which y may grow, as a share of its mean, where x grows from one standard deviation below its mean to
    /// one above: (slope + 2.576 standard errors) x 2 sd(x) / mean(y), by ordinary least squares. An upper bound, so
    /// that a noisy line isn't taken for a flat one. `None` where there is no line to be drawn.
    pub(super) fn most_growth(&self) -> Option<f64> {
        let free = self.n - 2.0;
        if free < 1.0 || self.squares_x <= 0.0 || self.mean_y <= 0.0 {
            return None;
        }
        let slope = self.products / self.squares_x;
        let rest = (self.squares_y - slope * self.products).max(0.0);
        let error = (rest / free / self.squares_x).sqrt();
        Some((slope + super::judge::CHANCE * error) * 2.0 * self.sd_x() / self.mean_y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &[(f64, f64)]) -> Line {
        let mut line = Line::default();
        points.iter().for_each(|(x, y)| line.push(*x, *y));
        line
    }

    #[test]
    fn a_line_without_noise_grows_by_its_slope() {
        // y = 10 + 2x over 1..=4: mean y 15, sd x 1.29, so 2 * 2 * 1.29 / 15.
        let line = of(&[(1.0, 12.0), (2.0, 14.0), (3.0, 16.0), (4.0, 18.0)]);
        let sd = (5.0_f64 / 3.0).sqrt();
        assert!((line.most_growth().unwrap() - 4.0 * sd / 15.0).abs() < 1e-12);
        assert_eq!((line.n(), line.mean_x()), (4.0, 2.5));
        assert!((line.sd_x() - sd).abs() < 1e-12);
    }

    #[test]
    fn noise_widens_the_bound() {
        // Slope 0; residuals 1, -1, -1, 1 around y = 10; squares of x 5, so an error of sqrt(4 / 2 / 5).
        let line = of(&[(1.0, 11.0), (2.0, 9.0), (3.0, 9.0), (4.0, 11.0)]);
        let want = 2.576 * (4.0_f64 / 2.0 / 5.0).sqrt() * 2.0 * (5.0_f64 / 3.0).sqrt() / 10.0;
        assert!((line.most_growth().unwrap() - want).abs() < 1e-12);
    }

    #[test]
    fn no_line_goes_through_too_little() {
        assert_eq!(of(&[(1.0, 1.0), (2.0, 2.0)]).most_growth(), None);
        assert_eq!(of(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]).most_growth(), None);
        assert_eq!(of(&[(1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]).most_growth(), None);
        assert!(of(&[(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]).most_growth().is_some());
        assert_eq!((Line::default().sd_x(), of(&[(3.0, 1.0)]).sd_x()), (0.0, 0.0));
        assert_eq!(of(&[(1.0, 1.0), (3.0, 1.0)]).sd_x(), 2.0_f64.sqrt());
    }
}
