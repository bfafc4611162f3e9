//! The network as an ONNX file, and back.

use prost::Message;

use crate::members::lstm::network::{
    AHEAD, AHEAD_HEAD, B, HEAD_BIAS, HIDDEN, INPUTS, Matrix, Network, OUT, OUT_BIAS, OUTPUTS,
    PARAMETERS, R, STATE_HEAD, W, WINDOW,
};
use crate::onnx::tensor_shape_proto::Dimension;
use crate::onnx::type_proto::TensorType;
use crate::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
};

const FLOAT: i32 = 1;
const INT64: i32 = 7;
const INTEGER_ATTRIBUTE: i32 = 2;

/// Name of the input `WINDOW` x 1 x `INPUTS`.
pub(crate) const WINDOW_INPUT: &str = "window";
/// Name of the input `reach` x `AHEAD`.
pub(crate) const AHEAD_INPUT: &str = "ahead";
/// Name of the output `reach` x `OUTPUTS`.
pub(crate) const OUTPUT: &str = "quantiles";

/// The constants, by name, place in the parameters, and shape.
fn constants() -> [(&'static str, Matrix, Vec<i64>); 7] {
    let (rows, state) = (W.rows as i64, HIDDEN as i64);
    let matrix = |m: Matrix| vec![m.rows as i64, m.columns as i64];
    [
        ("w", W, vec![1, rows, INPUTS as i64]),
        ("r", R, vec![1, rows, state]),
        ("state_head", STATE_HEAD, matrix(STATE_HEAD)),
        ("ahead_head", AHEAD_HEAD, matrix(AHEAD_HEAD)),
        ("head_bias", HEAD_BIAS, vec![HEAD_BIAS.columns as i64]),
        ("out", OUT, matrix(OUT)),
        ("out_bias", OUT_BIAS, vec![OUT_BIAS.columns as i64]),
    ]
}

/// The file of `network` for `reach` slots ahead.
///
/// The batch is one window: tract ends the process on a batch of unknown size.
pub(crate) fn write(network: &Network, reach: usize) -> Vec<u8> {
    let model = ModelProto {
        ir_version: 8,
        producer_name: "mora".to_owned(),
        graph: Some(graph(network, reach as i64)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
    };
    model.encode_to_vec()
}

fn graph(network: &Network, reach: i64) -> GraphProto {
    let mut initializer: Vec<TensorProto> = constants()
        .into_iter()
        .map(|(name, matrix, dims)| floats(name, dims, &network.parameters[matrix.range()]))
        .collect();
    // ONNX has a bias for the input and one for the state; the second is zero.
    let mut bias = network.parameters[B.range()].to_vec();
    bias.resize(2 * B.columns, 0.0);
    initializer.push(floats("b", vec![1, bias.len() as i64], &bias));
    initializer.push(row_shape());
    GraphProto {
        node: nodes(),
        name: "lstm".to_owned(),
        initializer,
        input: vec![
            value(WINDOW_INPUT, &[WINDOW as i64, 1, INPUTS as i64]),
            value(AHEAD_INPUT, &[reach, AHEAD as i64]),
        ],
        output: vec![value(OUTPUT, &[reach, OUTPUTS as i64])],
    }
}

fn nodes() -> Vec<NodeProto> {
    let transposed = [("transB", 1)];
    vec![
        node(
            "LSTM",
            &[WINDOW_INPUT, "w", "r", "b"],
            &["", "state"],
            &[("hidden_size", HIDDEN as i64)],
        ),
        node("Reshape", &["state", "row"], &["last"], &[]),
        node("Gemm", &["last", "state_head", "head_bias"], &["from_state"], &transposed),
        node("Gemm", &[AHEAD_INPUT, "ahead_head"], &["from_ahead"], &transposed),
        node("Add", &["from_state", "from_ahead"], &["head"], &[]),
        node("Tanh", &["head"], &["units"], &[]),
        node("Gemm", &["units", "out", "out_bias"], &[OUTPUT], &transposed),
    ]
}

fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, i64)]) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let attribute = |&(name, i): &(&str, i64)| AttributeProto {
        name: name.to_owned(),
        i,
        r#type: INTEGER_ATTRIBUTE,
    };
    NodeProto {
        input: owned(inputs),
        output: owned(outputs),
        name: format!("{op}:{}", outputs.concat()),
        op_type: op.to_owned(),
        attribute: attributes.iter().map(attribute).collect(),
    }
}

fn floats(name: &str, dims: Vec<i64>, data: &[f32]) -> TensorProto {
    TensorProto {
        dims,
        data_type: FLOAT,
        float_data: data.to_vec(),
        int64_data: Vec::new(),
        name: name.to_owned(),
    }
}

/// The shape that drops the direction of the LSTM's last state.
fn row_shape() -> TensorProto {
    TensorProto {
        dims: vec![2],
        data_type: INT64,
        float_data: Vec::new(),
        int64_data: vec![1, HIDDEN as i64],
        name: "row".to_owned(),
    }
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|&dim_value| Dimension { dim_value }).collect();
    let tensor_type = TensorType { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(tensor_type) }),
    }
}

/// The network in a file that [`write()`] wrote for `reach` slots; `None` for any other bytes.
///
/// A graph the backend does not expect can end the process, so the file must be, byte for byte, the
/// one its own weights give.
pub(crate) fn read(bytes: &[u8], reach: usize) -> Option<Network> {
    let graph = ModelProto::decode(bytes).ok()?.graph?;
    let mut parameters = vec![0.0; PARAMETERS];
    let bias = ("b", B, Vec::new());
    for (name, matrix, _) in constants().into_iter().chain([bias]) {
        let tensor = graph.initializer.iter().find(|tensor| tensor.name == name)?;
        let data = tensor.float_data.get(..matrix.range().len())?;
        parameters[matrix.range()].copy_from_slice(data);
    }
    let finite = parameters.iter().all(|value| value.is_finite());
    let network = Network { parameters };
    (finite && write(&network, reach) == bytes).then_some(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn network() -> Network {
        Network::new(&mut ChaCha8Rng::seed_from_u64(3))
    }

    #[test]
    fn a_written_network_is_read_back() {
        assert_eq!(read(&write(&network(), 24), 24), Some(network()));
    }

    #[test]
    fn a_file_that_differs_in_shape_graph_or_length_is_refused() {
        let good = write(&network(), 24);
        assert!(read(&good, 12).is_none());
        assert!(read(&good[..good.len() - 1], 24).is_none());
        assert!(read(b"no protobuf", 24).is_none());
        let mut model = ModelProto::decode(good.as_slice()).unwrap();
        model.graph.as_mut().unwrap().node[0].op_type = "GRU".to_owned();
        assert!(read(&model.encode_to_vec(), 24).is_none());
    }

    #[test]
    fn weights_that_are_not_finite_are_refused() {
        let mut broken = network();
        broken.parameters[5] = f32::NAN;
        assert!(read(&write(&broken, 24), 24).is_none());
    }
}
