package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"math"
	"strconv"
)

// fills.csv has 400 resting orders, drawn at random with P(filled) = 1/(1+exp(-2.5+0.6(spread-1)+3.5 queue-2 imbalance)).
//
//go:embed fills.csv
var fills []byte

// An order rests in a book. Will it be filled within a minute?
type order struct {
	Spread    float64 // in ticks
	Queue     float64 // share of the level that is before it, 0 to 1
	Imbalance float64 // of the book, -1 to 1; above 0 the other side is stronger
}

type example struct {
	order
	filled bool
}

// load splits the data into what the models learn from, and what they are judged by.
func load(data []byte) (train, test []example) {
	rows := must(csv.NewReader(bytes.NewReader(data)).ReadAll())[1:]
	all := make([]example, len(rows))
	for i, row := range rows {
		var x [4]float64
		for j := range x {
			x[j] = must(strconv.ParseFloat(row[j], 64))
		}
		all[i] = example{order{x[0], x[1], x[2]}, x[3] == 1}
	}
	return all[:300], all[300:]
}

// A logistic model is a weight for one, and for each field of an order.
type logistic [4]float64

// fit trains by gradient descent on the cross-entropy.
func fit(data []example) (m logistic) {
	for range 3000 {
		var gradient logistic
		for _, e := range data {
			wrong := m.predict(e.order)
			if e.filled {
				wrong--
			}
			for i, x := range [...]float64{1, e.Spread, e.Queue, e.Imbalance} {
				gradient[i] += wrong * x
			}
		}
		for i := range m {
			m[i] -= 0.3 * gradient[i] / float64(len(data))
		}
	}
	return m
}

func (m logistic) predict(o order) float64 {
	return 1 / (1 + math.Exp(-m[0]-m[1]*o.Spread-m[2]*o.Queue-m[3]*o.Imbalance))
}

// thumb is what a trader would say without a model: those at the front are filled.
func thumb(_ context.Context, o order) (float64, error) {
	if o.Queue < 0.5 {
		return 0.75, nil
	}
	return 0.25, nil
}

// right is the share of orders for which a model is on the right side of a half.
func right(data []example, predict func(order) float64) float64 {
	n := 0
	for _, e := range data {
		if (predict(e.order) > 0.5) == e.filled {
			n++
		}
	}
	return float64(n) / float64(len(data))
}
