

main(True)
