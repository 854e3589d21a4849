// Makes a service account key of OpenPGP version 6 (RFC 9580), or verifies a signature of ours, with the library that
// Omni itself uses.
//
// To write the key of the tests anew:
//
//	go run . make > ../../../tests/omni/data/version-6.asc
//
// To verify a signature (binary) of a file with a public key (armored):
//
//	go run . verify KEY FILE SIGNATURE
package main

import (
	"crypto"
	"fmt"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const email = "automation@serviceaccount.omni.sidero.dev"

func main() {
	run := makeKey
	if len(os.Args) == 5 && os.Args[1] == "verify" {
		run = verify
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func makeKey() error {
	config := &packet.Config{
		V6Keys:      true,
		Algorithm:   packet.PubKeyAlgoEd25519,
		DefaultHash: crypto.SHA512,
		Time:        func() time.Time { return time.Unix(1_700_000_000, 0) },
	}
	key, err := openpgp.NewEntity("automation", "linux/amd64", email, config)
	if err != nil {
		return err
	}
	writer, err := armor.Encode(os.Stdout, openpgp.PrivateKeyType, nil)
	if err != nil {
		return err
	}
	if err = key.SerializePrivate(writer, config); err != nil {
		return err
	}
	if err = writer.Close(); err != nil {
		return err
	}
	_, err = fmt.Println()
	return err
}

func verify() error {
	files := make([]*os.File, 0, 3)
	for _, name := range os.Args[2:] {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		files = append(files, file)
	}
	keys, err := openpgp.ReadArmoredKeyRing(files[0])
	if err != nil {
		return err
	}
	signer, err := openpgp.CheckDetachedSignature(keys, files[1], files[2], nil)
	if err != nil {
		return err
	}
	fmt.Printf("good signature of version %d key %x\n", signer.PrimaryKey.Version, signer.PrimaryKey.Fingerprint)
	return nil
}
