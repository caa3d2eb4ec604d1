from pole.command import main

main()
