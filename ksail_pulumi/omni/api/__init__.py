"""The wire: .proto files and the code that `make proto` generates from them. Nothing here is edited by hand."""
