//! Builds a graph one operation at a time.

use candle_core::{DType, Result, Tensor};

use super::proto::{self, Attribute, Constant, Dim, Graph, Node, Shape, TensorType, Type, Value};

/// The name of a tensor in the graph.
pub(super) type Name = String;

/// A graph in the making. Every operation returns the name of its result.
#[derive(Default)]
pub(super) struct Builder {
    graph: Graph,
    n_names: usize,
}

impl Builder {
    pub(super) fn finish(self) -> Graph {
        self.graph
    }

    /// An input whose first axis is the batch.
    pub(super) fn input(&mut self, name: &str, element: i32, dims: &[usize], doc: &str) -> Name {
        self.graph.input.push(value(name, element, dims, doc));
        name.to_owned()
    }

    /// Makes `from` an output whose first axis is the batch.
    pub(super) fn output(&mut self, name: &str, from: &Name, dims: &[usize], doc: &str) {
        self.graph.output.push(value(name, proto::FLOAT, dims, doc));
        self.node("Identity", &[from], vec![], Some(name));
    }

    /// An f32 tensor that is part of the file. A name is stored once.
    pub(super) fn weight(&mut self, name: &str, tensor: &Tensor) -> Result<Name> {
        if self.graph.initializer.iter().any(|stored| stored.name == name) {
            return Ok(name.to_owned());
        }
        let values: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, proto::FLOAT, tensor.dims(), raw_data);
        Ok(name.to_owned())
    }

    /// A number.
    pub(super) fn scalar(&mut self, value: f32) -> Name {
        let name = format!("f32:{value:e}");
        if !self.graph.initializer.iter().any(|stored| stored.name == name) {
            self.constant(&name, proto::FLOAT, &[], value.to_le_bytes().to_vec());
        }
        name
    }

    /// A list of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> Name {
        let name = format!("i64:{values:?}");
        if !self.graph.initializer.iter().any(|stored| stored.name == name) {
            let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.constant(&name, proto::INT64, &[values.len()], raw_data);
        }
        name
    }

    fn constant(&mut self, name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) {
        let dims = dims.iter().map(|dim| *dim as i64).collect();
        let name = name.to_owned();
        self.graph.initializer.push(Constant { dims, data_type, name, raw_data });
    }

    /// An operator with one output and no attributes.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&Name]) -> Name {
        self.node(operator, inputs, vec![], None)
    }

    /// `Softmax` or `Concat` along an axis.
    pub(super) fn along(&mut self, operator: &str, inputs: &[&Name], axis: i64) -> Name {
        self.node(operator, inputs, vec![integer("axis", axis)], None)
    }

    /// The mean over the last axis, which is kept.
    pub(super) fn mean(&mut self, x: &Name) -> Name {
        self.node("ReduceMean", &[x], vec![list("axes", &[-1]), integer("keepdims", 1)], None)
    }

    /// `x` with its axes in another order.
    pub(super) fn transpose(&mut self, x: &Name, order: &[i64]) -> Name {
        self.node("Transpose", &[x], vec![list("perm", order)], None)
    }

    /// `x` in another shape; -1 stands for the batch.
    pub(super) fn reshape(&mut self, x: &Name, shape: &[i64]) -> Name {
        let shape = self.integers(shape);
        self.op("Reshape", &[x, &shape])
    }

    /// Elements `start..end` of an axis.
    pub(super) fn narrow(&mut self, x: &Name, axis: i64, start: usize, end: usize) -> Name {
        let bounds = [start as i64, end as i64, axis];
        let [start, end, axis] = bounds.map(|bound| self.integers(&[bound]));
        self.op("Slice", &[x, &start, &end, &axis])
    }

    fn node(
        &mut self,
        operator: &str,
        inputs: &[&Name],
        attribute: Vec<Attribute>,
        output: Option<&str>,
    ) -> Name {
        self.n_names += 1;
        let name = format!("{operator}:{}", self.n_names);
        let output = output.map_or_else(|| name.clone(), str::to_owned);
        self.graph.node.push(Node {
            input: inputs.iter().map(|input| (*input).clone()).collect(),
            output: vec![output.clone()],
            name,
            op_type: operator.to_owned(),
            attribute,
        });
        output
    }
}

fn integer(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(value), ints: vec![], kind: Attribute::INT }
}

fn list(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.to_owned(), i: None, ints: values.to_vec(), kind: Attribute::INTS }
}

/// A value of shape `[batch, dims...]`.
fn value(name: &str, element: i32, dims: &[usize], doc: &str) -> Value {
    let batch = Dim { value: None, name: Some("batch".to_owned()) };
    let fixed = |dim: &usize| Dim { value: Some(*dim as i64), name: None };
    let dims = std::iter::once(batch).chain(dims.iter().map(fixed)).collect();
    let tensor = TensorType { element, shape: Some(Shape { dims }) };
    Value {
        name: name.to_owned(),
        kind: Some(Type { tensor: Some(tensor) }),
        doc_string: doc.to_owned(),
    }
}
