//! Round trips, and files that are not what they say.

use dpsynth_privacy::PublicRng;
use proptest::prelude::*;

use super::*;
use crate::shape::tests::small;

fn generator() -> Generator {
    let shape = VaeShape::new(small()).unwrap();
    let mut rng = PublicRng::from_seed(1);
    let weights: Vec<f32> = (0..shape.parameters())
        .map(|_| rng.normal() as f32)
        .collect();
    Generator::Decoder(Decoder::from_weights(shape, &weights).unwrap())
}

fn notes() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("schema".to_owned(), "{\"columns\":[]}".to_owned()),
        ("seed".to_owned(), "7".to_owned()),
    ])
}

fn code(bytes: &[u8]) -> &'static str {
    Generator::from_bytes(bytes).unwrap_err().code()
}

/// Rewrites the JSON header of a safetensors file.
fn with_header(bytes: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = change(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(&bytes[8 + length..]);
    out
}

#[test]
fn what_is_written_is_read_back() {
    let original = generator();
    let bytes = original.to_bytes(&notes()).unwrap();
    assert_eq!(bytes, original.to_bytes(&notes()).unwrap());
    let (read, read_notes) = Generator::from_bytes(&bytes).unwrap();
    assert_eq!(read_notes, notes());
    assert_eq!(read.domain_sizes(), original.domain_sizes());
    assert_eq!(read.to_bytes(&notes()).unwrap(), bytes);
    let draw = |generator: &Generator| generator.sample(500, &mut PublicRng::from_seed(3)).unwrap();
    assert_eq!(draw(&read), draw(&original));
}

#[test]
fn only_the_decoder_is_written() {
    let bytes = generator().to_bytes(&BTreeMap::new()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "decoder.0.bias",
            "decoder.0.weight",
            "decoder.1.bias",
            "decoder.1.weight"
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let bytes = generator().to_bytes(&notes()).unwrap();
    assert_eq!(code(b""), "DPS3010");
    assert_eq!(code(&bytes[..bytes.len() - 1]), "DPS3010");
    assert_eq!(
        code(&with_header(&bytes, |h| h.replace("dpsynth", "dpsxnth"))),
        "DPS3011"
    );
    let version = |h: &str| h.replace("\\\"version\\\":1", "\\\"version\\\":2");
    assert_eq!(code(&with_header(&bytes, version)), "DPS3011");
    let unknown = |h: &str| h.replace("\\\"version\\\":1", "\\\"version\\\":1,\\\"rows\\\":[]");
    assert_eq!(code(&with_header(&bytes, unknown)), "DPS3011");
    let latent = |h: &str| h.replace("\\\"latent\\\":3", "\\\"latent\\\":4");
    assert_eq!(code(&with_header(&bytes, latent)), "DPS3012");
    let huge = |h: &str| {
        h.replace(
            "\\\"decoder_hidden\\\":[10]",
            "\\\"decoder_hidden\\\":[4096,4096,4096]",
        )
    };
    assert_eq!(code(&with_header(&bytes, huge)), "DPS3012");
    let too_wide = |h: &str| h.replace("\\\"latent\\\":3", "\\\"latent\\\":4000000000");
    assert_eq!(code(&with_header(&bytes, too_wide)), "DPS3001");
    let renamed = |h: &str| h.replace("decoder.1.bias", "decoder.1.bios");
    assert_eq!(code(&with_header(&bytes, renamed)), "DPS3012");
}

#[test]
fn a_further_tensor_is_refused() {
    let values = [0u8; 8];
    let bytes = generator().to_bytes(&notes()).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views = file.tensors();
    let rows = TensorView::new(Dtype::F32, vec![2], &values).unwrap();
    views.push(("rows".to_owned(), rows));
    let bytes = safetensors::serialize(views, metadata.metadata().clone()).unwrap();
    assert_eq!(code(&bytes), "DPS3012");
}

#[test]
fn a_value_that_is_not_finite_is_refused() {
    let bytes = generator().to_bytes(&notes()).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut spoiled = bytes.clone();
        let end = spoiled.len();
        spoiled[end - 4..].copy_from_slice(&bad.to_le_bytes());
        assert_eq!(code(&spoiled), "DPS3013");
    }
}

#[test]
fn extreme_weights_still_draw_codes_of_the_domain() {
    let mut bytes = generator().to_bytes(&notes()).unwrap();
    let end = bytes.len();
    for value in bytes[end - 600..].chunks_exact_mut(4) {
        value.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    let (generator, _) = Generator::from_bytes(&bytes).unwrap();
    let codes = generator.sample(100, &mut PublicRng::from_seed(1)).unwrap();
    for row in codes.chunks_exact(4) {
        for (code, size) in row.iter().zip(&small().domain_sizes) {
            assert!(u32::from(*code) < *size);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_or_a_model_and_never_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = Generator::from_bytes(&bytes);
    }

    #[test]
    fn any_damage_gives_an_error_or_a_model_and_never_a_panic(
        place in 0usize..2048,
        value in any::<u8>(),
    ) {
        let mut bytes = generator().to_bytes(&notes()).unwrap();
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok((generator, _)) = Generator::from_bytes(&bytes) {
            prop_assert!(generator.sample(3, &mut PublicRng::from_seed(1)).is_ok());
        }
    }
}
