// Writes floats as go-yaml v3 writes them, one JSON object on a line: the number, and its YAML text.
//
// The tests hold our encoder against them. To write them anew:
//
//	go run . > ../../../tests/spec/data/go-yaml-v3-floats.jsonl
package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"

	"gopkg.in/yaml.v3"
)

// How many random floats of each kind there are.
const sample = 400

func main() {
	for _, value := range floats() {
		text, err := yaml.Marshal(value)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// With an exponent, any JSON reader takes the number for a float.
		fmt.Printf("{\"data\": %s, \"text\": %q}\n", strconv.FormatFloat(value, 'e', -1, 64), text)
	}
}

func floats() []float64 {
	values := []float64{
		0, math.Copysign(0, -1), 0.1, 100000, 999999, 999999.5, 1000000, 123456.789, 0.0001, 0.00001, 0.5, -2.5,
		math.Pi, math.MaxFloat64, math.SmallestNonzeroFloat64, 0x1p-1022, 1<<53 + 1, 1 << 63,
	}
	for exponent := -323; exponent <= 308; exponent++ {
		power, err := strconv.ParseFloat(fmt.Sprintf("1e%d", exponent), 64)
		if err != nil {
			panic(err)
		}
		values = append(values, power)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for len(values) < 650+sample {
		if value := math.Float64frombits(random.Uint64()); !math.IsNaN(value) && !math.IsInf(value, 0) {
			values = append(values, value)
		}
	}
	for range sample {
		values = append(values, float64(random.IntN(100000))/math.Pow10(random.IntN(12)))
	}
	for range sample {
		values = append(values, (random.Float64()-0.5)*math.Pow10(random.IntN(9)))
	}
	return values
}
