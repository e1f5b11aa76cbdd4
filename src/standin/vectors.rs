//! Embeddings without a model: the words of a text as a vector. Texts that share words point the same way; the rare,
//! long words weigh more than the short ones that every text has.

use super::text::{mix, quick_hash};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Dimensions that a word touches.
const REACH: u64 = 8;

/// The unit vector of a text, with a random vector of length `noise`, drawn from seed and text, mixed in.
pub(super) fn embed(text: &str, dimensions: u32, noise: f64, seed: u64) -> Vec<f32> {
    let size = dimensions.max(1) as usize;
    let mut vector = vec![0.0f32; size];
    // A little of a fixed vector, so that an empty text has a direction as well.
    vector[0] = 0.01;
    let mut lower = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        let weight = if lower.chars().count() <= 3 { 0.3 } else { 1.0 };
        let hash = quick_hash(lower.as_bytes());
        for step in 0..REACH {
            let bits = mix(hash.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let sign = if bits & 1 == 0 { weight } else { -weight };
            vector[(bits >> 1) as usize % size] += sign;
        }
    }
    unit(&mut vector);
    if noise > 0.0 {
        let mut random = ChaCha8Rng::seed_from_u64(mix(seed ^ mix(quick_hash(text.as_bytes()) ^ 0x4015e)));
        let scale = noise / (size as f64).sqrt();
        for value in &mut vector {
            let z: f64 = random.sample(StandardNormal);
            *value += (z * scale) as f32;
        }
        unit(&mut vector);
    }
    vector
}

/// A vector as JSON, each number with as many digits as it needs.
pub(super) fn text(vector: &[f32]) -> String {
    serde_json::to_string(vector).unwrap_or_default()
}

fn unit(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn similar_texts_are_closer_than_others() {
        let embed = |text| embed(text, 384, 0.0, 1);
        let bach = embed("Bach wrote the piece as an exercise for players");
        let near = embed("Players treat the piece by Bach as an exercise");
        let far = embed("The invoice lacks our number since we moved plans");
        assert!(cosine(&bach, &near) > 0.6, "{}", cosine(&bach, &near));
        assert!(cosine(&bach, &far).abs() < 0.35, "{}", cosine(&bach, &far));
        assert!((cosine(&bach, &bach) - 1.0).abs() < 1e-5);
        assert!((cosine(&embed(""), &embed("")) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn noise_is_the_instances_own() {
        let one = embed("a text about boats", 384, 0.1, 1);
        assert_eq!(one, embed("a text about boats", 384, 0.1, 1));
        let other = embed("a text about boats", 384, 0.1, 2);
        assert!((0.95..0.9999).contains(&cosine(&one, &other)), "{}", cosine(&one, &other));
    }
}
