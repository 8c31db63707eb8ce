#version 330 core

uniform vec3 color;  // white
out vec4 frag_color;

// The triangle's number from 1, as three bytes, the lowest in red.
void main()
{
    int number = gl_PrimitiveID + 1;
    frag_color = vec4(vec3(number & 255, (number >> 8) & 255, (number >> 16) & 255) / 255.0 * color, 1.0);
}
